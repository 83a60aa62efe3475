use super::super::fixture::{Fixture, TestRecord};
use crate::record::{FieldDef, IndexDef, Schema};
use crate::rowset::Row;
use memdex_query::query::field;
use memdex_query::value::{Kind, Value};

/// The values of a record in the field; `None` if the index's condition is false.
type Cell = Option<&'static [&'static str]>;

fn record(cell: Cell) -> TestRecord {
    let values = cell.unwrap_or_default().iter().map(|text| Value::from(*text)).collect();
    TestRecord(vec![values, vec![Value::from(cell.is_some())]])
}

fn fixture(many: bool) -> Fixture {
    let value = FieldDef::new("value", Kind::Str);
    let value = if many { value.many() } else { value.optional() };
    let schema = Schema::new([value, FieldDef::of::<bool>("held")]);
    Fixture::new(&schema, IndexDef::equality("value").when(field("held").eq(true)))
}

fn put(fixture: &mut Fixture, cells: &[(Row, Cell)]) {
    assert!(fixture.put(cells.iter().map(|(row, cell)| (*row, record(*cell))).collect()).is_empty());
}

fn rows(fixture: &Fixture, value: impl Into<Value>) -> Vec<Row> {
    fixture.index.rows(value.into().as_ref()).iter().collect()
}

#[test]
fn rows_move_between_values_and_empty_values_go() {
    let mut of = fixture(false);
    put(&mut of, &[(4, Some(&["b"])), (9, Some(&["a"])), (1, Some(&["a"])), (2, Some(&[])), (7, None)]);
    assert_eq!((rows(&of, "a"), rows(&of, "b"), rows(&of, Value::NULL)), (vec![1, 9], vec![4], vec![2]));
    let (held, code_of_b) = (of.index.rows(Value::from("b").as_ref()), of.refs[&4].clone());
    put(&mut of, &[(4, Some(&["a"])), (1, Some(&[])), (2, None), (7, Some(&["a"]))]);
    assert_eq!((rows(&of, "a"), rows(&of, "b"), rows(&of, Value::NULL)), (vec![4, 7, 9], vec![], vec![1]));
    assert_eq!((held.iter().collect::<Vec<_>>(), of.index.distinct()), (vec![4], Some(1)));
    put(&mut of, &[(4, Some(&["c"]))]);
    assert_eq!(of.refs[&4], code_of_b, "the code of an emptied value is used again");
    assert_eq!(of.check(), 4);
}

#[test]
fn a_row_of_many_values_is_under_each_of_them() {
    let mut of = fixture(true);
    put(&mut of, &[(1, Some(&["a", "b"])), (2, Some(&["b"])), (3, Some(&[]))]);
    assert_eq!((rows(&of, "a"), rows(&of, "b"), rows(&of, Value::NULL)), (vec![1], vec![1, 2], vec![3]));
    put(&mut of, &[(1, Some(&["b", "c"])), (2, Some(&[])), (3, Some(&["a", "c"]))]);
    assert_eq!((rows(&of, "a"), rows(&of, "b"), rows(&of, "c")), (vec![3], vec![1], vec![1, 3]));
    assert_eq!(rows(&of, Value::NULL), [2]);
    assert_eq!(of.check(), 5);
    put(&mut of, &[(1, None), (3, Some(&[]))]);
    assert_eq!((of.index.distinct(), rows(&of, Value::NULL)), (Some(0), vec![2, 3]));
    assert_eq!(of.check(), 2);
}

#[test]
fn an_audit_computes_the_entry_of_a_record_once_for_all_its_values() {
    let mut of = fixture(true);
    put(&mut of, &[(1, Some(&["a", "b", "c", "d"])), (2, Some(&["b"]))]);
    assert_eq!(of.check(), 5);
    assert_eq!(of.audited.get(), 4, "two records, to count entries and to compare them");
}
