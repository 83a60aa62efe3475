//! JSON trees: depth, paths and merge patches. A tree that may be too deep is handled without recursion, even when it is dropped, so that
//! 100,000 levels do not overflow the stack.

use crate::error::DocumentError;
use crate::limits::MAX_DOCUMENT_DEPTH;
use memdex_query::schema::Path;
use memdex_query::value::json_type_name;
use serde_json::{Map, Value as Json};

/// Returns the tree if it is not too deep; otherwise drops it without recursion.
pub(super) fn shallow(json: Json) -> Result<Json, DocumentError> {
    if is_deeper(&json, MAX_DOCUMENT_DEPTH) {
        take_apart(json);
        return Err(DocumentError::TooDeep { limit: MAX_DOCUMENT_DEPTH });
    }
    Ok(json)
}

/// Whether objects and arrays are nested deeper than `limit`.
fn is_deeper(json: &Json, limit: usize) -> bool {
    // Trees to check, each with the number of levels that it may have.
    let mut left = vec![(json, limit)];
    while let Some((json, levels)) = left.pop() {
        let Some(below) = levels.checked_sub(1) else {
            if json.is_object() || json.is_array() {
                return true;
            }
            continue;
        };
        let nests = |inner: &&Json| inner.is_object() || inner.is_array();
        match json {
            Json::Array(items) => left.extend(items.iter().filter(nests).map(|item| (item, below))),
            Json::Object(fields) => left.extend(fields.values().filter(nests).map(|field| (field, below))),
            _ => {}
        }
    }
    false
}

fn take_apart(json: Json) {
    let mut left = vec![json];
    while let Some(json) = left.pop() {
        match json {
            Json::Array(items) => left.extend(items),
            Json::Object(fields) => left.extend(fields.into_iter().map(|(_, field)| field)),
            _ => {}
        }
    }
}

/// The estimated heap bytes of a tree that is not too deep.
pub(super) fn heap_bytes(json: &Json) -> usize {
    match json {
        Json::String(text) => text.capacity(),
        Json::Array(items) => items.capacity() * size_of::<Json>() + items.iter().map(heap_bytes).sum::<usize>(),
        Json::Object(fields) => {
            let of_field =
                |(name, json): (&String, &Json)| size_of::<(String, Json)>() + name.capacity() + heap_bytes(json);
            fields.iter().map(of_field).sum()
        }
        _ => 0,
    }
}

/// Finds the JSON values at a path.
pub(super) trait InJson {
    /// The only value there, if there is one: the array itself if an array is on the way.
    fn single<'a>(&self, body: &'a Json) -> Option<&'a Json>;

    /// Passes each value there to `visit`, through all arrays on the way and at the end.
    fn each<'a>(&self, body: &'a Json, visit: &mut dyn FnMut(&'a Json));
}

impl InJson for Path {
    fn single<'a>(&self, body: &'a Json) -> Option<&'a Json> {
        let mut at = body;
        for step in &self.steps {
            match at {
                Json::Object(fields) => at = fields.get(&**step)?,
                Json::Array(_) => return Some(at),
                _ => return None,
            }
        }
        Some(at)
    }

    fn each<'a>(&self, body: &'a Json, visit: &mut dyn FnMut(&'a Json)) {
        each(body, &self.steps, visit);
    }
}

fn each<'a>(at: &'a Json, steps: &[Box<str>], visit: &mut dyn FnMut(&'a Json)) {
    match (at, steps) {
        (Json::Array(items), _) => items.iter().for_each(|item| each(item, steps, visit)),
        (at, []) => visit(at),
        (Json::Object(fields), [step, rest @ ..]) => {
            if let Some(next) = fields.get(&**step) {
                each(next, rest, visit);
            }
        }
        _ => {}
    }
}

/// Sets the JSON at a path. Creates missing objects.
pub(super) fn set(body: &mut Json, path: &str, value: Json) -> Result<(), DocumentError> {
    let mut at = body;
    let mut passed = 0;
    for step in path.split('.') {
        let found = json_type_name(at);
        let Json::Object(fields) = at else {
            let passed = path.get(..passed).unwrap_or(path).trim_end_matches('.');
            return Err(DocumentError::InTheWay { path: path.into(), at: passed.into(), found });
        };
        at = fields.entry(step).or_insert(Json::Null);
        passed += step.len() + 1;
        if at.is_null() && passed < path.len() {
            *at = Json::Object(Map::new());
        }
    }
    *at = value;
    Ok(())
}

/// Appends to the array at a path, and removes its first values, so that at most `keep` are left. Creates missing objects and
/// the array; a single value becomes an array. `None` if something else is in the way.
pub(super) fn append(body: &mut Json, path: &str, value: Json, keep: usize) -> Option<()> {
    let mut at = body;
    for step in path.split('.') {
        if at.is_null() {
            *at = Json::Object(Map::new());
        }
        at = at.as_object_mut()?.entry(step).or_insert(Json::Null);
    }
    let mut items = match at.take() {
        Json::Array(items) => items,
        Json::Null => Vec::new(),
        single => vec![single],
    };
    items.push(value);
    let surplus = items.len().saturating_sub(keep);
    items.drain(..surplus);
    *at = Json::Array(items);
    Some(())
}

/// RFC 7396, section 2. Recursion as deep as the patch.
pub(super) fn merge_patch(target: &mut Json, patch: &Json) {
    let Json::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Json::Object(Map::new());
    }
    let Json::Object(fields) = target else { return };
    for (name, change) in changes {
        if change.is_null() {
            fields.remove(name);
        } else {
            merge_patch(fields.entry(name.as_str()).or_insert(Json::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The examples of appendix A.
    #[test]
    fn merge_patches_are_those_of_the_rfc() {
        let examples = [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "c"}), json!({"a": ["b"]}), json!({"a": ["b"]})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a": "b"}), json!(["c"]), json!(["c"])),
            (json!({"a": "foo"}), json!(null), json!(null)),
            (json!({"a": "foo"}), json!("bar"), json!("bar")),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!([1, 2]), json!({"a": "b", "c": null}), json!({"a": "b"})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ];
        for (original, patch, result) in examples {
            let mut patched = original.clone();
            merge_patch(&mut patched, &patch);
            assert_eq!(patched, result, "{original} with {patch}");
        }
    }

    #[test]
    fn heap_bytes_are_those_of_texts_lists_and_fields() {
        assert_eq!(heap_bytes(&json!(1)), 0);
        assert_eq!(heap_bytes(&json!("a".repeat(100))), 100);
        let (few, many) = (heap_bytes(&json!({"a": ["x"]})), heap_bytes(&json!({"a": ["x", "yz"]})));
        assert!(few > 2 && many > few + 2, "{few} {many}");
    }

    fn nested(levels: usize) -> Json {
        (0..levels).fold(json!(1), |inner, level| if level % 2 == 0 { json!([inner]) } else { json!({ "a": inner }) })
    }

    #[test]
    fn depth_is_that_of_objects_and_arrays() {
        assert_eq!(shallow(nested(MAX_DOCUMENT_DEPTH)), Ok(nested(MAX_DOCUMENT_DEPTH)));
        for levels in [MAX_DOCUMENT_DEPTH + 1, 1_000, 100_000] {
            // `json!` copies what it nests, which takes the square of the depth, and recursion.
            let mut deep = Json::Null;
            (0..levels).for_each(|_| deep = Json::Array(vec![std::mem::take(&mut deep)]));
            assert_eq!(shallow(deep), Err(DocumentError::TooDeep { limit: MAX_DOCUMENT_DEPTH }));
        }
    }

    /// The limit is that of the parser: whatever is stored can be printed and read again.
    #[test]
    fn the_parser_reads_as_deep() {
        let text = nested(MAX_DOCUMENT_DEPTH).to_string();
        assert_eq!(text.parse::<Json>().unwrap(), nested(MAX_DOCUMENT_DEPTH));
        assert!(format!("[{text}]").parse::<Json>().is_err());
    }

    #[test]
    fn append_makes_the_list_and_keeps_its_end() {
        let mut body = json!({"a": {"b": [1, 2, 3]}, "s": "x"});
        assert_eq!(append(&mut body, "a.b", json!(4), 2), Some(()));
        assert_eq!(append(&mut body, "c.d", json!("y"), 1), Some(()));
        assert_eq!(append(&mut body, "s", json!("y"), 2), Some(()));
        assert_eq!(body, json!({"a": {"b": [3, 4]}, "c": {"d": ["y"]}, "s": ["x", "y"]}));
        assert_eq!(append(&mut body, "a.b.c", json!(1), 2), None);
    }

    #[test]
    fn set_makes_the_objects_on_the_way() {
        let mut body = json!({"a": {"b": 1}, "s": "x"});
        set(&mut body, "a.b", json!(2)).unwrap();
        set(&mut body, "a.c.d", json!([3])).unwrap();
        set(&mut body, "n", json!(null)).unwrap();
        assert_eq!(body, json!({"a": {"b": 2, "c": {"d": [3]}}, "s": "x", "n": null}));
        let error = set(&mut body, "a.b.c", json!(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "can't set \"a.b.c\": there is a number at \"a.b\", not an object; set \"a.b\" to an object first"
        );
    }
}
