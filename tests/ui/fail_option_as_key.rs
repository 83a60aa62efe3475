use memdex::typing::{KeyBuffer, ValueRef};
use memdex::{Record, Schema};

struct Seat(Option<u16>);

impl Record for Seat {
    type Key = Option<u16>;

    fn schema() -> Schema {
        Schema::new([])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.0.map_or(ValueRef::Null, ValueRef::from));
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
}

struct Place(String, Option<u16>);

impl Record for Place {
    type Key = (String, Option<u16>);

    fn schema() -> Schema {
        Schema::new([])
    }

    fn key(&self, key: &mut KeyBuffer) {
        key.push(self.0.as_str().into());
        key.push(self.1.map_or(ValueRef::Null, ValueRef::from));
    }

    fn value(&self, _: usize) -> ValueRef<'_> {
        ValueRef::Null
    }
}

fn main() {}
