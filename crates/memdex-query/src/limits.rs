//! Every bound of a question, a schema or a record by name, so that an error can quote it and a test can stand on either side of it.

/// Longest key, in encoded bytes (a string of n bytes without NULs encodes to n + 1).
pub const MAX_KEY_BYTES: usize = 4_096;

/// Longest string or byte string that an index takes. Longer values belong in a field that is only scanned.
pub const MAX_INDEXED_BYTES: usize = 65_536;

/// Most fields of one schema.
pub const MAX_FIELDS: usize = 1_024;

/// Most indexes of one collection.
pub const MAX_INDEXES: usize = 256;

/// Most standing statistics of one collection.
pub const MAX_STANDING: usize = 64;

/// Most values that an indexed field of many values holds in one record.
pub const MAX_FIELD_VALUES: usize = 4_096;

/// Deepest nesting of `&`, `|` and `!` in one predicate, what they join included: as deep as JSON text can be for `serde_json` to
/// read it, so that every query that is answered can be sent. (Of its 127 levels a part takes two, the innermost up to
/// five, the query one.)
pub const MAX_PREDICATE_DEPTH: usize = 60;

/// Most records of one page.
pub const MAX_PAGE: usize = 1 << 20;

/// Most fields that records are ordered by.
pub const MAX_ORDER_FIELDS: usize = 32;

/// Most metrics of one question, those of all its levels of groups together.
pub const MAX_METRICS: usize = 256;

/// Most levels of groups within groups.
pub const MAX_GROUP_LEVELS: usize = 16;

/// Most parts of the key of a group.
pub const MAX_GROUP_PARTS: usize = 16;

/// Most groups that one answer is made of, those of all levels together.
pub const MAX_GROUPS: usize = 1 << 20;

/// Most values of one `is_in`, `any` or `all`.
pub const MAX_LISTED_VALUES: usize = 1 << 20;

/// Longest pattern of a text test, in bytes: a text is gone through once for each of its characters at worst.
pub const MAX_PATTERN_BYTES: usize = 4_096;

/// Deepest nesting of objects and arrays in a document: as deep as JSON text can be for `serde_json` to read it, so that every
/// document that is stored can be printed and read again.
pub const MAX_DOCUMENT_DEPTH: usize = 127;

/// Most buckets that a histogram is filled up to with empty ones.
pub const MAX_BUCKETS: usize = 100_000;

/// Most explicit ranges of one question.
pub const MAX_RANGES: usize = 1_024;
