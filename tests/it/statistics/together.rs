//! Statistics over several collections.

use memdex::query::Predicate;
use memdex::{GroupBy, Metric, Record, Store};

/// Each column has a separate dictionary, so the same value has different codes.
#[test]
fn groups_of_two_collections_are_joined_by_value() {
    #[derive(Record)]
    struct Visit {
        #[record(key)]
        id: u32,
        #[record(column)]
        city: String,
    }
    let store = Store::new();
    let collections = [["Bern", "Chur", "Bern", "Davos"], ["Davos", "Davos", "Chur", "Ascona"]].map(|cities| {
        let visits = store.collection::<Visit>(cities[0]).unwrap();
        for (id, city) in (0..).zip(cities) {
            visits.insert(Visit { id, city: city.to_owned() }).unwrap();
        }
        visits
    });
    let search = store.snapshot().search(Predicate::All).over(&collections[0]).over(&collections[1]);
    let result = search.statistics(GroupBy::values(visit::CITY).metrics([Metric::count()])).unwrap();
    let counts = ["Ascona", "Bern", "Chur", "Davos"].map(|city| result.group(city).unwrap().int("count").unwrap());
    assert_eq!(counts, [1, 2, 2, 3]);
}
