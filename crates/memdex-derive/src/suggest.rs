//! The known name that is closest to a misspelled one.

/// The known name with the smallest edit distance, if at most a third of the letters differ.
pub(crate) fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let prefix =
        |known: &str| known.len() > 2 && (name.starts_with(known) || known.starts_with(name)) && name.len() > 2;
    let near = known.filter_map(|known| {
        let distance = distance(name, known);
        let similar = distance <= name.len().max(known.len()).max(3) / 3 || prefix(known);
        similar.then_some((distance, known))
    });
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known)
}

/// Insertions, deletions and replacements that turn `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_names_are_found() {
        let closest = |name| closest(name, ["key", "index", "unique", "rename_all"].into_iter());
        assert_eq!(
            ["indexed", "idx", "uniqe", "rename"].map(closest),
            [Some("index"), None, Some("unique"), Some("rename_all")]
        );
        assert_eq!(["primary", ""].map(closest), [None, None]);
    }
}
