//! Fields without an attribute need no trait, and may be of any type that a store can hold.

use memdex::{FieldValue, Record, Store};
use std::borrow::Cow;
use std::sync::Arc;

struct Opaque;

#[derive(FieldValue)]
struct Id([u8; 4]);

#[derive(Record)]
struct Everything {
    #[record(key)]
    id: Id,
    #[record(key)]
    letter: char,
    #[record(index)]
    owned: Box<str>,
    #[record(index)]
    shared: Option<Arc<str>>,
    #[record(index)]
    fixed: &'static str,
    #[record(field)]
    either: Cow<'static, str>,
    #[record(field)]
    bytes: Vec<u8>,
    #[record(field)]
    wide: Option<u128>,
    #[record(field)]
    real: f32,
    #[record(field)]
    flag: std::primitive::bool,
    opaque: Opaque,
    call: Box<dyn Fn() -> u8 + Send + Sync>,
    tuple: (u8, [Opaque; 2]),
}

#[test]
fn fields_without_an_attribute_may_have_any_type() {
    let store = Store::new();
    let records = store.collection::<Everything>("Everything").unwrap();
    let one = Everything {
        id: Id(*b"abcd"),
        letter: 'x',
        owned: "owned".into(),
        shared: None,
        fixed: "fixed",
        either: "either".into(),
        bytes: vec![1],
        wide: Some(u128::MAX),
        real: 0.5,
        flag: true,
        opaque: Opaque,
        call: Box::new(|| 7),
        tuple: (1, [Opaque, Opaque]),
    };
    records.store(one).unwrap();
    let texts = everything::OWNED.eq("owned") & everything::SHARED.is_null() & everything::EITHER.eq("either");
    let numbers = everything::WIDE.eq(u128::MAX) & everything::REAL.eq(0.5f32) & everything::FLAG.eq(true);
    let bytes = everything::BYTES.eq(&[1]) & everything::LETTER.eq('x') & everything::ID.eq(Id(*b"abcd"));
    let found = records.find(texts & numbers & bytes & everything::FIXED.eq("fixed")).fetch().unwrap();
    let Everything { opaque: Opaque, call, tuple: (1, [Opaque, Opaque]), .. } = &*found[0] else { unreachable!() };
    assert_eq!(call(), 7);
}
