//! Suggestions for misspelled names, for error messages.

use std::fmt;

/// Writes `it has a, b; did you mean `a`?`, or `it has none`.
pub struct ItHas<'a> {
    /// The name that was not found.
    pub name: &'a str,
    /// The names that exist.
    pub known: &'a [String],
}

impl fmt::Display for ItHas<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.known.is_empty() {
            return f.write_str("it has none");
        }
        write!(f, "it has {}{}", self.known.join(", "), DidYouMean(self.name, self.known))
    }
}

/// Writes ``; did you mean `a`?``, or nothing if no known name is near the name.
pub struct DidYouMean<'a>(pub &'a str, pub &'a [String]);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match nearest(self.0, self.1) {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// The known name that differs least from `name`: in case only, or by an edit for every three characters at most.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    // A longer name has no typing error, and the distance costs the product of both lengths.
    const LONGEST: usize = 64;
    if name.len() > LONGEST {
        return None;
    }
    let allowed = (name.chars().count() / 3).max(1);
    let distances = known.iter().filter(|other| other.len() <= LONGEST).map(|other| {
        let distance = if other.eq_ignore_ascii_case(name) { 0 } else { distance(name, other) };
        (distance, &**other)
    });
    distances.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, name)| name)
}

/// The number of insertions, deletions, replacements and swaps of neighbors between two strings (optimal string
/// alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1];
        for j in 0..b.len() {
            let mut best = (last[j] + usize::from(a[i] != b[j])).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelled_names_are_recognized() {
        let known = ["name", "amount", "organization_id", "x"].map(String::from);
        for (typed, expected) in [
            ("nmae", Some("name")),
            ("Name", Some("name")),
            ("nam", Some("name")),
            ("organisation_id", Some("organization_id")),
            ("y", Some("x")),
            ("status", None),
            ("", Some("x")),
        ] {
            assert_eq!(nearest(typed, &known), expected, "{typed}");
        }
        let it_has = |name, known: &[String]| ItHas { name, known }.to_string();
        assert_eq!(it_has("nmae", &known[..2]), "it has name, amount; did you mean `name`?");
        assert_eq!(it_has("status", &known[..2]), "it has name, amount");
        assert_eq!(it_has("status", &[]), "it has none");
    }
}
