//! The forms of reports, compared with files: `BLESS=1 cargo test -p memdex-bench --test reports` writes them.

use memdex_bench::{BenchError, Report, Spread};
use std::fs;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn report() -> Report {
    Report::read(golden("report.json")).unwrap()
}

fn check(name: &str, text: &str) {
    if std::env::var_os("BLESS").is_some() {
        fs::write(golden(name), text).unwrap();
    }
    let expected = fs::read_to_string(golden(name)).unwrap_or_default();
    assert!(expected == text, "{name} differs; if that is meant, run with BLESS=1:\n{text}");
}

#[test]
fn reports_have_the_forms_of_the_files() {
    let report = report();
    check("report.md", &report.to_markdown());
    check("report.html", &report.to_html());
    // The JSON form is read and written without a loss.
    assert_eq!(report.to_json(), fs::read_to_string(golden("report.json")).unwrap());
    let folder = std::env::temp_dir().join(format!("memdex-bench-reports-{}", std::process::id()));
    report.write(folder.join("new")).unwrap();
    assert_eq!(Report::read(folder.join("new/report.json")).unwrap(), report);
    assert_eq!(fs::read_to_string(folder.join("new/report.html")).unwrap(), report.to_html());
    assert!(matches!(report.write(folder.join("new/report.md")), Err(BenchError::Io { .. })));
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(Report::read(&folder), Err(BenchError::Io { .. })));
    assert!(matches!(Report::from_json("{}"), Err(BenchError::Json { .. })));
}

/// The text of the elements, and their names in order. Fails if the elements do not fit together.
fn elements(html: &str) -> (String, Vec<String>) {
    let (mut open, mut names, mut text) = (Vec::new(), Vec::new(), String::new());
    let mut rest = html;
    while let Some((before, after)) = rest.split_once('<') {
        text += before;
        let (tag, after) = after.split_once('>').expect("a tag ends");
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{tag}");
            continue;
        }
        let name = tag.split([' ', '/']).next().unwrap().to_owned();
        assert!(tag.matches('"').count() % 2 == 0, "quotes of {tag}");
        names.push(name.clone());
        if !tag.ends_with('/') && !["!DOCTYPE", "meta"].contains(&&*name) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} are open");
    (text + rest, names)
}

#[test]
fn pages_are_whole_and_refer_to_nothing() {
    let html = report().to_html();
    let (_, names) = elements(&html);
    for expected in ["svg", "polyline", "rect", "table", "style"] {
        assert!(names.iter().any(|name| name == expected), "{expected}");
    }
    for reference in ["http", "//", "src=", "href", "url(", "@import", "<script", "<link", "onload"] {
        assert!(!html.contains(reference), "{reference}");
    }
    assert!(html.contains("prefers-color-scheme:dark"));
    assert!(!html.contains("NaN") && !html.contains("inf"));
}

#[test]
fn hostile_names_are_shown_and_mean_nothing() {
    let hostile = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onload='x",
        "</title></svg>",
        "&lt;b&gt;",
        "a|b\nc",
        "`code` *x* [y](z)",
        "",
        "\u{0}\u{1b}[31m",
        "]]>-->",
        "a very long name of a target that does not fit",
    ];
    for name in hostile {
        let mut json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
        json["title"] = name.into();
        json["machine"]["os"] = name.into();
        for workload in json["workloads"].as_array_mut().unwrap() {
            workload["name"] = name.into();
            workload["description"] = name.into();
            workload["targets"].as_array_mut().unwrap().iter_mut().for_each(|target| target["name"] = name.into());
        }
        let report = Report::from_json(&json.to_string()).unwrap();
        let html = report.to_html();
        let (text, names) = elements(&html);
        assert!(!names.iter().any(|name| ["script", "img", "b"].contains(&&**name)), "{name:?}");
        assert_eq!(names, elements(&self::report().to_html()).1, "{name:?} adds no element");
        assert!(!html.contains('\u{0}') && !html.contains('\u{1b}'));
        let shown = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#39;", "'")
            .replace("&amp;", "&");
        let visible: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        assert!(shown.contains(&visible), "{name:?}");
        let markdown = report.to_markdown();
        assert_eq!(markdown.lines().count(), self::report().to_markdown().lines().count(), "{name:?}");
        for row in markdown.lines().filter(|line| line.starts_with("| ")) {
            let bars = row.replace("\\\\", "").replace("\\|", "").matches('|').count();
            assert!([5, 9].contains(&bars), "{row}");
        }
    }
}

#[test]
fn empty_reports_have_forms() {
    let mut json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
    let target = json["workloads"][0]["targets"][0].as_object_mut().unwrap();
    target["operations"] = serde_json::json!([]);
    target["quantiles_nanos"] = serde_json::json!([]);
    target["throughput"] = serde_json::json!({ "median": 0.0, "low": 0.0, "high": 0.0 });
    let report = Report::from_json(&json.to_string()).unwrap();
    elements(&report.to_html());
    assert!(report.to_markdown().contains("–"));
    json["workloads"] = serde_json::json!([]);
    elements(&Report::from_json(&json.to_string()).unwrap().to_html());
}

#[test]
fn comparisons_say_what_is_better_and_what_is_noise() {
    let before = report();
    let same = before.compare(&before);
    assert!(same.unmatched.is_empty() && same.changes.iter().all(|change| change.better == 1.0 && !change.is_clear()));
    let mut after = before.clone();
    let target = &mut after.workloads[0].targets[0];
    target.throughput = Spread::of([2e6, 2.2e6, 2.4e6]);
    target.operations[0].p50_nanos = Spread::of([700.0, 800.0, 900.0]);
    after.workloads[0].targets[1].name = "renamed".into();
    after.workloads[1].description = "another".into();
    let comparison = after.compare(&before);
    check("comparison.md", &comparison.to_string());
    let [throughput, median, p99] = &comparison.changes[..3] else { panic!("{comparison}") };
    assert!(throughput.is_clear() && throughput.better > 1.5, "{throughput:?}");
    assert!(median.is_clear() && median.better < 0.5, "{median:?}");
    assert!(!p99.is_clear());
    assert_eq!(comparison.unmatched.len(), 3);
    assert!(comparison.unmatched[0].contains("renamed") && comparison.unmatched[1].contains("gone"));
}
