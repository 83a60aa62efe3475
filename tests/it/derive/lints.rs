//! What the macros make stands up to strict lints, whatever is public.

#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unnameable_types,
    unused_qualifications,
    missing_debug_implementations
)]
#![deny(nonstandard_style, single_use_lifetimes, unused_results, trivial_casts, let_underscore_drop)]
#![forbid(unsafe_code)]

pub mod shop {
    //! A public record with fields of a private type.

    use memdex::{FieldValue, Record};

    #[derive(Debug, FieldValue)]
    enum Hidden {
        One,
    }

    /// A record.
    #[derive(Debug, Record)]
    pub struct Item {
        /// Its number.
        #[record(key)]
        pub id: u64,
        /// What it is called.
        #[record(field)]
        #[deprecated]
        pub title: String,
        #[record(index)]
        hidden: Hidden,
    }

    impl Item {
        /// A new one.
        #[allow(deprecated)]
        pub fn new(id: u64) -> Self {
            Item { id, title: String::new(), hidden: Hidden::One }
        }
    }

    /// A number.
    #[derive(Debug, FieldValue)]
    pub struct Number(pub u32);
}

#[derive(Debug, memdex::Record)]
struct NeverQueried {
    #[record(key)]
    id: u64,
}

#[test]
fn generated_code_passes_strict_lints() {
    let items = memdex::Store::new().collection::<shop::Item>("Item").unwrap();
    let _receipt = items.store(shop::Item::new(1)).unwrap();
    assert_eq!(items.find(shop::item::TITLE.eq("")).count(), Ok(1));
    assert!(format!("{:?}", NeverQueried { id: 1 }).contains('1'));
}
