//! References and checks of schemas: names, what is refused, and the serde form.

use memdex_query::error::{ReferenceFault, SchemaError};
use memdex_query::query::field;
use memdex_query::schema::{Check, Collation, FieldDef, IndexDef, OnDelete, OnUpdate, Reference, Schema};
use memdex_query::value::Kind;

fn schema() -> Schema {
    Schema::new([
        FieldDef::new("id", Kind::Int).key(),
        FieldDef::new("a", Kind::Int).optional(),
        FieldDef::new("b", Kind::Int),
        FieldDef::new("tags", Kind::Int).many(),
        FieldDef::new("name", Kind::Str).collate(Collation::NoCase),
    ])
}

#[test]
fn constraints_have_the_names_of_postgresql() {
    let schema = schema()
        .with_reference(Reference::new("a", "T"))
        .with_reference(Reference::new(["a", "b"], "U"))
        .with_reference(Reference::new("a", "V"))
        .with_reference(Reference::new("b", "V").named("mine"))
        .with_check(Check::new(field("a").gt(0)))
        .with_check(Check::new(field("a").lt(9) | field("a").is_null()))
        .with_check(Check::new(field("a").lt(9) | field("b").is_null()));
    schema.check().unwrap();
    assert_eq!(schema.reference_names("P"), ["P_a_fkey", "P_a_b_fkey", "P_a_fkey1", "mine"]);
    assert_eq!(schema.check_names("P"), ["P_a_check", "P_a_check1", "P_check"]);
    assert_eq!(IndexDef::unique("mail").constraint_name("P"), "P_mail_key");
    assert_eq!(IndexDef::unique(["a", "b"]).constraint_name("P"), "P_a_b_key");
    assert_eq!(IndexDef::unique("mail").named("one").constraint_name("P"), "one");
    let text = schema.to_string();
    assert!(text.contains("reference mine (b) to V on delete restrict on update restrict"), "{text}");
}

#[test]
fn a_reference_gets_an_index_unless_there_is_one() {
    let names = |schema: Schema| schema.indexes().iter().map(|index| index.name().to_owned()).collect::<Vec<_>>();
    assert_eq!(names(schema().with_reference(Reference::new("a", "T"))), ["a"]);
    let ordered = IndexDef::ordered("a").named("mine");
    assert_eq!(names(schema().with_index(ordered).with_reference(Reference::new("a", "T"))), ["mine"]);
    let partial = IndexDef::equality("a").when(field("b").gt(0));
    assert_eq!(names(schema().with_index(partial).with_reference(Reference::new("a", "T"))), ["a", "a_fkey"]);
    assert_eq!(names(schema().with_reference(Reference::new(["a", "b"], "T"))), ["a+b"]);
    assert!(names(schema().with_reference(Reference::new("id", "T"))).is_empty(), "the key finds it");
    let reached = schema().with_reference(Reference::new("a", "T"));
    assert_eq!(reached.through("a.b.c").map(|(to, name)| (to.to().to_owned(), name)), Some(("T".to_owned(), "b.c")));
    assert!(reached.through("b.c").is_none() && reached.through("a").is_none());
}

#[test]
fn references_that_can_not_be_kept_are_refused() {
    let fault = |reference: Reference| match schema().with_reference(reference).check() {
        Err(SchemaError::Reference { fault, .. }) => fault,
        other => panic!("{other:?}"),
    };
    let set_null = |fields: &'static str| Reference::new(fields, "T").on_delete(OnDelete::SetNull);
    let cascade = |fields: &'static str| Reference::new(fields, "T").on_update(OnUpdate::Cascade);
    assert_eq!(fault(Reference::new(Vec::<String>::new(), "T")), ReferenceFault::Empty);
    assert_eq!(fault(Reference::new("a", "")), ReferenceFault::Empty);
    assert!(matches!(fault(Reference::new("x", "T")), ReferenceFault::UnknownField { field, .. } if field == "x"));
    assert_eq!(fault(Reference::new(["a", "a"], "T")), ReferenceFault::RepeatedField("a".into()));
    assert_eq!(fault(Reference::new("name", "T")), ReferenceFault::Collation("name".into()));
    assert_eq!(fault(Reference::new(["a", "tags"], "T")), ReferenceFault::OneOfMany("tags".into()));
    assert_eq!(fault(set_null("tags")), ReferenceFault::WritesMany("tags".into()));
    assert_eq!(fault(cascade("id")), ReferenceFault::WritesKey("id".into()));
    assert_eq!(fault(set_null("b")), ReferenceFault::NeverNull("b".into()));
    schema().with_reference(Reference::new("tags", "T").on_delete(OnDelete::Cascade)).check().unwrap();
    let unknown = schema().with_check(Check::new(field("x").gt(0))).check();
    assert!(matches!(unknown, Err(SchemaError::Check { .. })));
    let twice = schema()
        .with_check(Check::new(field("a").gt(0)).named("it"))
        .with_reference(Reference::new("a", "T").named("it"));
    assert!(matches!(twice.check(), Err(SchemaError::DuplicateConstraint { constraint, .. }) if constraint == "it"));
    let many = (0..65).fold(schema(), |schema, _| schema.with_reference(Reference::new("a", "T")));
    assert!(matches!(many.check(), Err(SchemaError::TooManyConstraints { what: "references", .. })));
}

#[cfg(feature = "json")]
#[test]
fn constraints_are_part_of_the_serde_form() {
    let schema = Schema::new([FieldDef::new("id", Kind::Int).key(), FieldDef::new("a", Kind::Int).optional()])
        .with_reference(Reference::new("a", "T").on_delete(OnDelete::SetNull).named("it"))
        .with_reference(Reference::new("a", "U"))
        .with_check(Check::new(field("a").gt(0)));
    let form = serde_json::json!({
        "version": 2,
        "fields": [
            { "name": "id", "kind": "integer", "key": true },
            { "name": "a", "kind": "integer", "optional": true },
        ],
        "references": [
            { "name": "it", "fields": ["a"], "to": "T", "on_delete": "set_null" },
            { "fields": ["a"], "to": "U" },
        ],
        "checks": [{ "predicate": { "gt": ["a", 0] } }],
    });
    assert_eq!(serde_json::to_value(&schema).unwrap(), form);
    assert_eq!(serde_json::from_value::<Schema>(form).unwrap(), schema);
}
