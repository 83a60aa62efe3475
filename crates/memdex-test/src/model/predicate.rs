//! Does a record match a predicate? By plain loops over its values.

use super::compare::compare;
use crate::row::Row;
use memdex::query::{Predicate, TextOp, TextTest};
use memdex::schema::Collation;
use memdex::{Schema, Value};
use std::ops::Bound;

impl Row {
    /// Whether the record matches a predicate over the fields of a schema, by plain loops: for repositories in tests.
    ///
    /// ```
    /// use memdex::{FieldDef, Kind, Schema, field};
    /// use memdex_test::Row;
    ///
    /// let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("city", Kind::Str).optional()]);
    /// let row = Row::new().with("id", 1).with("city", "Bern");
    /// assert!(row.matches(&schema, &(field("id").le(1) & field("city").starts_with("B"))));
    /// assert!(!row.matches(&schema, &field("city").is_null()));
    /// ```
    ///
    /// # Panics
    /// On `elem_match`, and on a predicate that is nested too deep.
    pub fn matches(&self, schema: &Schema, predicate: &Predicate) -> bool {
        matches(schema, self, predicate)
    }
}

/// Whether a record matches. A missing value matches no comparison; a field of many matches if one of its values does, but `ne` needs
/// values, none of which is equal.
///
/// Panics on `elem_match`, which is for documents only, and on predicates that are too deep: no strategy draws them.
pub(crate) fn matches(schema: &Schema, row: &Row, predicate: &Predicate) -> bool {
    let values = |name: &str| row.all(name);
    let collation = |name: &str| collation(schema, name);
    let has =
        |name: &str, wanted: &Value| values(name).iter().any(|value| compare(value, wanted, collation(name)).is_eq());
    match predicate {
        Predicate::All => true,
        Predicate::And(parts) => parts.iter().all(|part| matches(schema, row, part)),
        Predicate::Or(parts) => parts.iter().any(|part| matches(schema, row, part)),
        Predicate::Not(part) => !matches(schema, row, part),
        Predicate::IsNull(name) => values(name).is_empty(),
        Predicate::Eq(name, wanted) => has(name, wanted),
        Predicate::Ne(name, unwanted) => !values(name).is_empty() && !has(name, unwanted),
        Predicate::In(name, wanted) | Predicate::AnyOf(name, wanted) => wanted.iter().any(|one| has(name, one)),
        Predicate::AllOf(name, wanted) => wanted.iter().all(|one| has(name, one)),
        Predicate::Range(name, from, to) => values(name).iter().any(|value| {
            let order = |bound: &Value| compare(value, bound, collation(name));
            let is_above = match from {
                Bound::Unbounded => true,
                Bound::Included(bound) => order(bound).is_ge(),
                Bound::Excluded(bound) => order(bound).is_gt(),
            };
            let is_below = match to {
                Bound::Unbounded => true,
                Bound::Included(bound) => order(bound).is_le(),
                Bound::Excluded(bound) => order(bound).is_lt(),
            };
            is_above && is_below
        }),
        Predicate::Text(name, test) => {
            values(name).iter().filter_map(Value::as_str).any(|text| matches_text(text, test))
        }
        Predicate::ElemMatch(..) => panic!("the model has no elements of lists: leave out elem_match"),
        Predicate::TooDeep => panic!("the predicate is nested too deep: every store refuses it"),
    }
}

pub(crate) fn collation(schema: &Schema, name: &str) -> Option<Collation> {
    schema.position(name).and_then(|at| schema.fields()[at].collation())
}

/// An element of a pattern.
enum Element {
    AnyRun,
    AnyChar,
    Char(char),
}

/// Every test becomes a pattern, and every alignment of the pattern is tried.
fn matches_text(text: &str, test: &TextTest) -> bool {
    let mut elements = Vec::new();
    if matches!(test.op, TextOp::EndsWith | TextOp::Contains) {
        elements.push(Element::AnyRun);
    }
    let mut chars = test.pattern.chars();
    while let Some(c) = chars.next() {
        elements.push(match c {
            '%' if test.op == TextOp::Like => Element::AnyRun,
            '_' if test.op == TextOp::Like => Element::AnyChar,
            // A backslash at the end is refused by stores, so it matches nothing here.
            '\\' if test.op == TextOp::Like => Element::Char(chars.next().unwrap_or('\u{10FFFF}')),
            c => Element::Char(c),
        });
    }
    if matches!(test.op, TextOp::StartsWith | TextOp::Contains) {
        elements.push(Element::AnyRun);
    }
    let text: Vec<char> = text.chars().collect();
    let fold = TextTest::fold_case;
    let same = |a: char, b: char| a == b || test.ignore_case && fold(a) == fold(b);
    aligns(&elements, &text, &same)
}

fn aligns(elements: &[Element], text: &[char], same: &dyn Fn(char, char) -> bool) -> bool {
    match (elements, text) {
        ([], rest) => rest.is_empty(),
        ([Element::AnyRun, later @ ..], rest) => (0..=rest.len()).any(|skipped| aligns(later, &rest[skipped..], same)),
        ([Element::AnyChar, later @ ..], [_, rest @ ..]) => aligns(later, rest, same),
        ([Element::Char(c), later @ ..], [first, rest @ ..]) => same(*c, *first) && aligns(later, rest, same),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use memdex::{FieldDef, Kind, field};

    #[test]
    fn tests_by_hand() {
        let schema = Schema::new([
            FieldDef::new("id", Kind::Int).key(),
            FieldDef::new("name", Kind::Str).optional().collate(Collation::NoCase),
            FieldDef::new("tags", Kind::Str).many(),
        ]);
        let row = Row::new().with("id", 5).with("name", "Ada").with_each("tags", ["x", "y"]);
        let none = Row::new().with("id", 5);
        for (predicate, matching, of_none) in [
            (field("id").eq(5.0), true, true),
            (field("id").between(5, 4), false, false),
            (field("name").eq("ADA"), true, false),
            (field("name").ne("bob"), true, false),
            (!field("name").eq("bob"), true, true),
            (field("name").starts_with("a"), false, false),
            (field("name").starts_with_ignore_case("a"), true, false),
            (field("name").like("%d_"), true, false),
            (field("tags").contains("x"), true, false),
            (field("tags").all(["x", "y"]), true, false),
            (field("tags").all(["x", "z"]), false, false),
            (Predicate::AllOf("tags".into(), vec![]), true, true),
            (field("tags").is_null(), false, true),
            (Predicate::none(), false, false),
        ] {
            assert_eq!(matches(&schema, &row, &predicate), matching, "{predicate:?}");
            assert_eq!(matches(&schema, &none, &predicate), of_none, "{predicate:?}");
        }
    }
}
