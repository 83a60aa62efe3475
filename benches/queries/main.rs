//! Pages of records, and statistics, over one million payments with columns, each compared with SQLite in memory and
//! with a plain loop over vectors. See `benches/README.md` for the meaning of each figure.

mod data;
#[path = "../indexes/durations.rs"]
#[allow(dead_code, reason = "the other benchmarks print more")]
mod durations;
mod pages;
mod statistics;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` only checks that the benchmarks start; these take minutes.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("cargo bench --bench queries");
    }
    let wanted = arguments.into_iter().find(|argument| !argument.starts_with('-'));
    let groups: [(&str, fn()); 2] = [("pages", pages::run), ("statistics", statistics::run)];
    for (_, run) in groups.iter().filter(|(group, _)| wanted.as_deref().is_none_or(|name| name == *group)) {
        run();
    }
}
