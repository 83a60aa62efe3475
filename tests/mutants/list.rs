//! Lists the mutants of Rust files, as a JSON object a line: `memdex-mutants src/write/commit.rs ...`, in the root of the repository.
//! `tests/mutants/run` draws from them.

mod mutations;

use mutations::{Mutation, mutations_of};
use std::collections::HashMap;

fn main() {
    for file in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let found = mutations_of(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        // The number tells equal changes of one function apart.
        let mut seen: HashMap<(String, String), usize> = HashMap::new();
        for Mutation { function, what, span, template } in found {
            let number = seen.entry((function.clone(), what.clone())).and_modify(|number| *number += 1).or_insert(1);
            let what = if *number > 1 { format!("{what} #{number}") } else { what };
            let line = text[..span.start].matches('\n').count() + 1;
            let original = &text[span.clone()];
            println!(
                "{}",
                serde_json::json!({
                    "file": file, "line": line, "function": function, "what": what, "original": original,
                    "start": span.start, "end": span.end, "template": template,
                })
            );
        }
    }
}
