//! Every limit of a query, a schema or a record by name, so that errors can quote it and tests can check both sides of
//! it.

/// Longest key, in encoded bytes. A string of n bytes without NULs encodes to n + 1 bytes.
pub const MAX_KEY_BYTES: usize = 4_096;

/// Longest string or byte string, in bytes, that an index accepts. Longer values belong in a field without an index. In
/// a field with a collation, the length of a string is that of its key.
pub const MAX_INDEXED_BYTES: usize = 65_536;

/// Most fields of one schema.
pub const MAX_FIELDS: usize = 1_024;

/// Most indexes of one collection.
pub const MAX_INDEXES: usize = 256;

/// Most materialized aggregates of one collection.
pub const MAX_AGGREGATES: usize = 64;

/// Most references of one schema.
pub const MAX_REFERENCES: usize = 64;

/// Most checks of one schema.
pub const MAX_CHECKS: usize = 64;

/// Most values that a multi-valued indexed field can have in one record.
pub const MAX_FIELD_VALUES: usize = 4_096;

/// Deepest nesting of `&`, `|` and `!` in one predicate, including their operands. This is the greatest depth at which
/// `serde_json` reads the JSON form of a query, so that every query that runs can also be sent. (`serde_json` allows
/// 127 levels: each operator takes two, the innermost condition up to five, the query one.)
pub const MAX_PREDICATE_DEPTH: usize = 60;

/// Most records of one page.
pub const MAX_PAGE: usize = 1 << 20;

/// Records of a page that is requested by number, without a size.
pub const DEFAULT_PAGE_SIZE: usize = 10;

/// Most fields of one order.
pub const MAX_ORDER_FIELDS: usize = 32;

/// Most metrics of one statistics query, over all levels of its groups.
pub const MAX_METRICS: usize = 256;

/// Most levels of nested groups.
pub const MAX_GROUP_LEVELS: usize = 16;

/// Most parts of the key of a group.
pub const MAX_GROUP_PARTS: usize = 16;

/// Most groups of one aggregation result, over all levels.
pub const MAX_GROUPS: usize = 1 << 20;

/// Most hits of one group in an aggregation result.
pub const MAX_GROUP_HITS: usize = 1_000;

/// Most values of one `is_in`, `any` or `all`.
pub const MAX_LISTED_VALUES: usize = 1 << 20;

/// Longest pattern of a text test, in bytes. In the worst case, a test scans the text once for each character of the
/// pattern.
pub const MAX_PATTERN_BYTES: usize = 4_096;

/// Deepest nesting of objects and arrays in a document. This is the greatest depth at which `serde_json` reads JSON
/// text, so that every stored document can be printed and read back.
pub const MAX_DOCUMENT_DEPTH: usize = 127;

/// Most buckets of a histogram whose empty buckets are filled in.
pub const MAX_BUCKETS: usize = 100_000;

/// Most units of the calendar in one bucket.
pub const MAX_DATE_UNITS: u32 = 10_000;

/// Most explicit ranges of one statistics query.
pub const MAX_RANGES: usize = 1_024;
