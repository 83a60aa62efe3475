//! How the schema of a program differs from a saved one.

use crate::record::{FieldDef, Schema};

/// The first difference that matters: in the fields, their kinds, or the key. Indexes, columns and materialized aggregates may differ,
/// as the loaded store builds those of the program.
pub(super) fn difference(saved: &Schema, program: &Schema) -> Option<String> {
    let find = |schema: &Schema, name: &str| schema.fields().iter().find(|field| field.name() == name).cloned();
    for field in saved.fields() {
        let name = field.name();
        let Some(now) = find(program, name) else {
            return Some(format!("the saved field {name:?} is gone"));
        };
        if let Some(difference) = of_field(field, &now) {
            return Some(format!("field {name:?} {difference}"));
        }
    }
    if let Some(new) = program.fields().iter().find(|field| find(saved, field.name()).is_none()) {
        return Some(format!("field {:?} is new", new.name()));
    }
    let key = |schema: &Schema| -> Vec<String> {
        schema.fields().iter().filter(|field| field.is_key()).map(|field| field.name().to_owned()).collect()
    };
    let (was, is) = (key(saved), key(program));
    (was != is).then(|| format!("the key was {}, and is {}", was.join(", "), is.join(", ")))
}

fn of_field(saved: &FieldDef, now: &FieldDef) -> Option<String> {
    if saved.kind() != now.kind() {
        return Some(format!("was of kind {}, and is of kind {}", saved.kind(), now.kind()));
    }
    if saved.collation() != now.collation() {
        let name = |field: &FieldDef| field.collation().map_or("none".to_owned(), |collation| collation.to_string());
        return Some(format!("had the collation {}, and has {}", name(saved), name(now)));
    }
    type Flag = fn(&FieldDef) -> bool;
    let flags: [(&str, Flag); 6] = [
        ("part of the key", FieldDef::is_key),
        ("a field of many values", FieldDef::is_many),
        ("optional", FieldDef::is_nullable),
        ("required", FieldDef::is_required),
        ("one that skips conflicts", FieldDef::skips_conflicts),
        ("an integer of 64 bits", FieldDef::fits_64_bits),
    ];
    flags.into_iter().find_map(|(what, has)| match (has(saved), has(now)) {
        (true, false) => Some(format!("was {what}, and is not any more")),
        (false, true) => Some(format!("was not {what}, and is now")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use memdex_query::value::Kind;

    #[test]
    fn differences_are_named_and_indexes_are_none() {
        let id = || FieldDef::new("id", Kind::Int).key();
        let name = || FieldDef::new("name", Kind::Str);
        let saved = Schema::new([id(), name()]);
        for (program, named) in [
            (Schema::new([id()]), "\"name\" is gone"),
            (Schema::new([id(), name(), FieldDef::new("age", Kind::Int)]), "\"age\" is new"),
            (Schema::new([id(), FieldDef::new("name", Kind::Int)]), "was of kind string, and is of kind integer"),
            (Schema::new([id(), name().key()]), "\"name\" was not part of the key"),
            (Schema::new([id(), name().optional()]), "was not optional, and is now"),
            (Schema::new([id(), name().collate(crate::schema::Collation::NoCase)]), "collation"),
        ] {
            let difference = difference(&saved, &program).unwrap();
            assert!(difference.contains(named), "{difference}");
        }
        let indexed = Schema::new([name().unique().column(), id().ordered()]);
        assert_eq!(difference(&saved, &indexed), None);
        let (two, swapped) = (Schema::new([id(), name().key()]), Schema::new([name().key(), id()]));
        assert_eq!(difference(&two, &swapped).unwrap(), "the key was id, name, and is name, id");
    }
}
