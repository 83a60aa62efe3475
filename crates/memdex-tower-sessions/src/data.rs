//! The data of a session, shared by all clones of its record.

use memdex::typing::HeapSize;
use serde_json::Value;
use std::collections::HashMap;
use std::mem::size_of;
use std::sync::Arc;

pub(crate) type Data = HashMap<String, Value>;

/// An update clones the record; the data is not copied then.
#[derive(Clone, Default)]
pub(crate) struct SharedData(pub(crate) Arc<Data>);

impl HeapSize for SharedData {
    fn heap_size(&self) -> usize {
        let slots = self.0.capacity() * size_of::<(String, Value)>();
        let entries = self.0.iter().map(|(key, value)| key.capacity() + heap_size(value)).sum::<usize>();
        size_of::<Data>() + slots + entries
    }
}

fn heap_size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.capacity(),
        Value::Array(values) => values.capacity() * size_of::<Value>() + values.iter().map(heap_size).sum::<usize>(),
        Value::Object(entries) => {
            let entry =
                |(key, value): (&String, &Value)| size_of::<(String, Value)>() + key.capacity() + heap_size(value);
            entries.iter().map(entry).sum()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn heap_size_counts_nested_values() {
        let size = |value: Value| SharedData(Arc::new([("key".to_owned(), value)].into())).heap_size();
        let text = "x".repeat(1_000);
        let (plain, nested) = (size(json!(text)), size(json!({ "list": [text, text] })));
        assert!((1_000..1_500).contains(&plain), "{plain}");
        assert!((2_000..2_500).contains(&nested), "{nested}");
    }
}
