use memdex::{KeySink, ValueRef};

struct Parts;

impl KeySink for Parts {
    fn push(&mut self, _: ValueRef<'_>) {}
}

fn main() {}
