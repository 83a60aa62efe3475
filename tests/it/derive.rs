//! The derive macros: the items that they generate, and their errors.

mod fields_name;
mod in_function;
mod invisible_fields;
/// Public, since the lint against unreachable public items looks at it.
pub mod lints;

use memdex::schema::IndexKind;
use memdex::typing::ValueRef;
use memdex::{FieldDef, FieldValue, Filter, Kind, Record, Schema, Store, Value};

#[derive(Clone, Copy, Debug, PartialEq, FieldValue)]
enum Status {
    Pending,
    Completed,
}

/// Implements no trait.
struct Opaque;

#[derive(Record)]
#[record(rename_all = "camelCase")]
struct Payment {
    #[record(key)]
    payment_id: String,
    #[record(index)]
    organization_id: String,
    #[record(index)]
    status: Status,
    #[record(index, rename = "cur")]
    currency: Option<String>,
    #[record(field)]
    amount_cents: i64,
    #[record(key, index)]
    region: u8,
    description: Opaque,
}

fn a_payment() -> Payment {
    Payment {
        payment_id: "p-1".into(),
        organization_id: "o-1".into(),
        status: Status::Completed,
        currency: None,
        amount_cents: -500,
        region: 7,
        description: Opaque,
    }
}

#[test]
fn a_schema_lists_the_attributed_fields_in_order_of_declaration() {
    let expected = Schema::new([
        FieldDef::of::<String>("paymentId").key(),
        FieldDef::of::<String>("organizationId").index(),
        FieldDef::of::<Status>("status").index(),
        FieldDef::of::<Option<String>>("cur").index(),
        FieldDef::of::<i64>("amountCents"),
        FieldDef::of::<u8>("region").key().index(),
    ]);
    assert_eq!(Payment::schema(), expected);
}

#[test]
fn a_schema_knows_kind_access_and_whether_a_value_can_be_missing() {
    let schema = Payment::schema();
    let of = |name: &str| {
        let field = &schema.fields()[schema.position(name).unwrap()];
        (field.kind(), field.index_kind(), field.is_key(), field.is_nullable())
    };
    assert_eq!(of("paymentId"), (Kind::Str, None, true, false));
    assert_eq!(of("status"), (Kind::Str, Some(IndexKind::Equality), false, false));
    assert_eq!(of("cur"), (Kind::Str, Some(IndexKind::Equality), false, true));
    assert_eq!(of("amountCents"), (Kind::Int, None, false, false));
    assert_eq!(of("region"), (Kind::Int, Some(IndexKind::Equality), true, false));
    assert_eq!(schema.position("description"), None);
}

#[test]
fn values_follow_the_positions_of_the_schema() {
    let payment = a_payment();
    let values: Vec<ValueRef<'_>> = (0..6).map(|field| payment.value(field)).collect();
    let expected = [
        ValueRef::Str("p-1"),
        ValueRef::Str("o-1"),
        ValueRef::Str("Completed"),
        ValueRef::Null,
        ValueRef::Int(-500),
        ValueRef::Int(7),
    ];
    assert_eq!(values, expected);
    assert_eq!(payment.value(6), ValueRef::Null, "there is no such position");
    assert_eq!(payment.value(usize::MAX), ValueRef::Null);
    let Opaque = payment.description;
}

#[test]
fn a_value_of_an_optional_field_is_there_or_missing() {
    let payment = Payment { currency: Some("EUR".into()), ..a_payment() };
    assert_eq!(payment.value(3), ValueRef::Str("EUR"));
    assert_eq!(a_payment().value(3), ValueRef::Null);
}

#[test]
fn constants_carry_the_renamed_names_and_the_types_of_their_fields() {
    assert_eq!(payment::PAYMENT_ID.name(), "paymentId");
    assert_eq!(payment::CURRENCY.name(), "cur");
    assert_eq!(payment::REGION.name(), "region");
    let _: memdex::Field<Payment, i64> = payment::AMOUNT_CENTS;
    let _: memdex::Field<Payment, Option<String>> = payment::CURRENCY;
    const STATUS: memdex::Field<Payment, Status> = payment::STATUS;
    assert_eq!(STATUS.name(), "status");
}

/// Compiles only if the record's key has this type.
fn key_is<R: Record<Key = K>, K>() {}

/// The parts of a record's key, as stored.
fn key_parts<R: Record>(record: R) -> Vec<Value> {
    let store = Store::new();
    let records = store.collection::<R>("records").unwrap();
    records.store(record).unwrap();
    let keys = records.find(Filter::all()).keys().unwrap();
    assert_eq!(keys.len(), 1);
    keys[0].parts()
}

#[derive(Record)]
struct One {
    #[record(key)]
    id: u64,
}

#[derive(Record)]
struct Several {
    #[record(index)]
    between: Option<bool>,
    #[record(key)]
    second: char,
    #[record(key)]
    first: String,
    #[record(key, index)]
    third: Status,
}

#[test]
fn a_key_has_the_type_of_its_field_or_a_tuple_of_them() {
    key_is::<One, u64>();
    key_is::<Several, (char, String, Status)>();
    key_is::<Payment, (String, u8)>();
}

#[test]
fn a_key_has_its_parts_in_the_order_of_declaration() {
    assert_eq!(key_parts(One { id: 7 }), [Value::from(7u64)]);
    let several = Several { between: None, second: 'b', first: "a".into(), third: Status::Pending };
    assert_eq!(several.value(0), ValueRef::Null);
    assert_eq!(key_parts(several), [Value::from('b'), Value::from("a"), Value::from("Pending")]);
    assert_eq!(key_parts(a_payment()), [Value::from("p-1"), Value::from(7)]);
}

#[test]
fn a_record_is_found_by_its_key_and_by_its_fields() {
    let payments = Store::new().collection::<Payment>("Payment").unwrap();
    payments.store(a_payment()).unwrap();
    payments.store(Payment { region: 8, status: Status::Pending, ..a_payment() }).unwrap();
    assert_eq!(payments.get(("p-1", 7)).unwrap().region, 7);
    assert!(payments.get(("p-1", 9)).is_none());
    let count = |predicate| payments.find(predicate).count().unwrap();
    assert_eq!(count(payment::STATUS.eq(Status::Pending)), 1);
    assert_eq!(count(payment::ORGANIZATION_ID.eq("o-1")), 2);
    assert_eq!(count(payment::CURRENCY.is_null() & payment::AMOUNT_CENTS.eq(-500)), 2);
    assert_eq!(count(payment::REGION.eq(9)), 0);
}

macro_rules! named_alike {
    ($($style:literal $name:ident: $field:literal, $variant:literal;)*) => {$(
        #[test]
        fn $name() {
            #[derive(Record)]
            #[record(rename_all = $style)]
            struct Styled {
                #[record(key)]
                line_item_2: u8,
                #[record(field, rename = "As-Written")]
                other: u8,
            }

            #[derive(FieldValue)]
            #[field(rename_all = $style)]
            enum Way {
                ByAir,
                #[field(rename = "As-Written")]
                BySea,
            }

            let schema = Styled::schema();
            let names: Vec<&str> = schema.fields().iter().map(FieldDef::name).collect();
            assert_eq!(names, [$field, "As-Written"]);
            assert_eq!(styled::LINE_ITEM_2.name(), $field);
            assert_eq!(styled::OTHER.name(), "As-Written");
            assert_eq!(Styled { line_item_2: 1, other: 2 }.value(1), ValueRef::Int(2));
            assert_eq!(Way::ByAir.value(), ValueRef::Str($variant));
            assert_eq!(Way::BySea.value(), ValueRef::Str("As-Written"));
        }
    )*};
}

mod rename_all {
    use super::*;

    named_alike! {
        "lowercase" lower: "line_item_2", "byair";
        "UPPERCASE" upper: "LINE_ITEM_2", "BYAIR";
        "PascalCase" pascal: "LineItem2", "ByAir";
        "camelCase" camel: "lineItem2", "byAir";
        "snake_case" snake: "line_item_2", "by_air";
        "SCREAMING_SNAKE_CASE" screaming_snake: "LINE_ITEM_2", "BY_AIR";
        "kebab-case" kebab: "line-item-2", "by-air";
        "SCREAMING-KEBAB-CASE" screaming_kebab: "LINE-ITEM-2", "BY-AIR";
    }
}

#[test]
fn raw_identifiers_are_named_without_their_prefix() {
    #[derive(Record)]
    struct Type {
        #[record(key)]
        r#type: String,
        #[record(field)]
        r#in: u8,
    }

    #[derive(FieldValue)]
    #[field(rename_all = "lowercase")]
    #[allow(non_camel_case_types)]
    enum Way {
        r#in,
        Out,
    }

    assert_eq!(r#type::TYPE.name(), "type");
    assert_eq!(r#type::IN.name(), "in");
    assert_eq!(Type { r#type: "t".into(), r#in: 1 }.value(1), ValueRef::Int(1));
    assert_eq!([Way::r#in.value(), Way::Out.value()], [ValueRef::Str("in"), ValueRef::Str("out")]);
}

#[test]
fn a_namespace_hides_neither_types_nor_variables_nor_its_own_struct() {
    #[derive(Record)]
    struct Str {
        #[record(key)]
        id: String,
    }

    #[derive(Record)]
    #[allow(non_camel_case_types)]
    struct order {
        #[record(key)]
        id: u64,
    }

    let text: &str = "still a type";
    let str = Str { id: text.into() };
    let order_of_one = order { id: 1 };
    assert_eq!((str.value(0), order_of_one.value(0)), (ValueRef::Str(text), ValueRef::Int(1)));
    assert_eq!([str_::ID.name(), order_::ID.name()], ["id", "id"]);

    let payment = a_payment();
    assert_eq!(payment::REGION.name(), "region");
    assert_eq!(payment.value(5), ValueRef::Int(7));
}

#[test]
fn options_can_be_split_over_several_attributes() {
    #[derive(Record)]
    struct Spread {
        #[record(key)]
        #[record(index)]
        #[record(rename = "k")]
        id: u8,
    }

    assert_eq!(Spread::schema(), Schema::new([FieldDef::of::<u8>("k").key().index()]));
    assert_eq!(Spread { id: 3 }.value(0), ValueRef::Int(3));
}

#[test]
fn the_value_of_a_newtype_is_that_of_its_field() {
    #[derive(FieldValue)]
    struct UserId(String);

    #[derive(FieldValue)]
    struct Cents {
        amount: i64,
    }

    #[derive(FieldValue)]
    struct Note(Option<UserId>);

    assert_eq!((UserId::KIND, UserId::NULLABLE), (Kind::Str, false));
    assert_eq!((Cents::KIND, Cents::NULLABLE), (Kind::Int, false));
    assert_eq!((Note::KIND, Note::NULLABLE), (Kind::Str, true));
    assert_eq!((<Option<Cents>>::KIND, <Option<Cents>>::NULLABLE), (Kind::Int, true));
    assert_eq!(UserId("u-1".into()).value(), ValueRef::Str("u-1"));
    assert_eq!(Cents { amount: 5 }.value(), ValueRef::Int(5));
    assert_eq!(Note(None).value(), ValueRef::Null);
    assert_eq!(Note(Some(UserId("u-2".into()))).value(), ValueRef::Str("u-2"));
}

#[test]
fn a_newtype_can_be_the_key_of_a_record() {
    #[derive(Clone, FieldValue)]
    struct UserId(String);

    #[derive(Record)]
    struct User {
        #[record(key)]
        id: UserId,
        #[record(index)]
        parent: Option<UserId>,
    }

    let (ada, bob) = (UserId("ada".into()), UserId("bob".into()));
    let users = Store::new().collection::<User>("User").unwrap();
    users.store(User { id: ada.clone(), parent: None }).unwrap();
    users.store(User { id: bob.clone(), parent: Some(ada.clone()) }).unwrap();
    assert!(users.get(&bob).is_some());
    assert_eq!(users.find(user::PARENT.eq(&ada)).count().unwrap(), 1);
    assert_eq!(users.find(user::ID.eq(bob)).count().unwrap(), 1);
}

#[test]
fn the_value_of_an_enum_is_the_name_of_its_variant() {
    #[derive(FieldValue)]
    enum Level {
        Low = 10,
        #[deprecated]
        High,
    }

    #[allow(deprecated)]
    let high = Level::High;
    assert_eq!((Level::KIND, Level::NULLABLE), (Kind::Str, false));
    assert_eq!((Level::Low.value(), high.value()), (ValueRef::Str("Low"), ValueRef::Str("High")));
}

mod elsewhere {
    use memdex::Record;

    /// Shadowed names must not affect the generated code.
    #[allow(dead_code)]
    mod core {}
    #[allow(dead_code, non_camel_case_types)]
    struct usize;
    #[allow(non_upper_case_globals, dead_code)]
    const field: u8 = 1;
    #[allow(non_upper_case_globals, dead_code)]
    static key: u8 = 1;

    #[derive(Record)]
    pub(super) struct Far {
        #[record(key)]
        pub(super) id: u8,
        #[record(field)]
        #[deprecated]
        pub(super) old: u8,
    }

    impl Far {
        #[allow(deprecated)]
        pub(super) fn new() -> Self {
            Far { id: 1, old: 2 }
        }
    }
}

#[test]
fn constants_are_as_visible_as_their_struct() {
    assert_eq!(elsewhere::far::OLD.name(), "old");
    assert_eq!(elsewhere::Far::new().value(1), ValueRef::Int(2));
}

/// Programs that must compile are modules of this one: here they would need an executable each, and all dependencies once more.
#[test]
fn compiler_errors_are_those_of_the_files() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail_*.rs");
}
