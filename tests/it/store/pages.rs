//! Pages and their cursors.

use super::{user, users};
use memdex::error::QueryError;
use memdex::field;
use memdex::query::Cursor;

#[test]
fn a_cursor_fits_its_query_for_any_number_of_values() {
    let (_store, users) = users();
    for id in ["1", "2", "3"] {
        users.store(user(id, 0)).unwrap();
    }
    let requested = || users.find(field("city").is_in(["Bern", "Basel", "Chur", "Genf", "Visp"])).limit(1);
    let mut cursor = requested().fetch().unwrap().next.unwrap();
    for id in ["2", "3"] {
        // Through text, as a client would store it.
        cursor = cursor.to_string().parse::<Cursor>().unwrap();
        let page = requested().after(cursor.clone()).fetch().unwrap();
        assert_eq!(page.records[0].id, id);
        cursor = page.next.unwrap_or(cursor);
    }
    let other = users.find(field("city").is_in(["Bern", "Basel"])).limit(1).after(cursor);
    assert!(matches!(other.fetch(), Err(QueryError::ForeignCursor { .. })));
}
