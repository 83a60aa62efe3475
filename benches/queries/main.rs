//! Pages of records, and questions about many records at once, over one million payments with columns, each beside SQLite in memory and beside a plain loop
//! over vectors. See `benches/README.md` for what each figure means.

mod data;
#[path = "../indexes/figures.rs"]
#[allow(dead_code, reason = "the other benchmarks print more")]
mod figures;
mod pages;
mod statistics;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` asks whether the benchmarks run at all; these take minutes.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return println!("cargo bench --bench queries");
    }
    let wanted = arguments.into_iter().find(|argument| !argument.starts_with('-'));
    let groups: [(&str, fn()); 2] = [("pages", pages::run), ("statistics", statistics::run)];
    for (_, run) in groups.iter().filter(|(group, _)| wanted.as_deref().is_none_or(|name| name == *group)) {
        run();
    }
}
