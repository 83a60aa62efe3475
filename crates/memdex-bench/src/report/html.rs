//! A report as one HTML page that needs nothing else.

use super::data::{Report, WorkloadReport};
use super::escape::html as escaped;
use super::plot::{COLORS, latencies, throughputs};
use super::units::{rate, time};

/// Two palettes, each readable on its background.
const STYLE: &str = "\
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--dim:#5b6470;--grid:#d9dee4;\
--c0:#0b63ce;--c1:#b3450b;--c2:#19753a;--c3:#8a3ab9;--c4:#a3245c;--c5:#5d6b00}
@media(prefers-color-scheme:dark){:root{--back:#14171b;--text:#e6e9ed;--dim:#9aa4af;--grid:#333a42;\
--c0:#6cb2ff;--c1:#ffa066;--c2:#6fd391;--c3:#cf9bf5;--c4:#ff8db4;--c5:#cdd65a}}
body{background:var(--back);color:var(--text);font:15px/1.5 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em}
p,caption{color:var(--dim)}
table{border-collapse:collapse;margin:1em 0}
th,td{padding:.25em .8em;border-bottom:1px solid var(--grid);text-align:right}
th.left,td.left{text-align:left}
svg{width:100%;height:auto;font:13px system-ui,sans-serif}
svg text{fill:var(--text)}
svg .name{text-anchor:end}
svg .label{text-anchor:middle}
svg .grid{stroke:var(--grid)}
svg .whisker{stroke:var(--text);fill:none}
svg .line{fill:none;stroke-width:2}
.key{display:inline-block;width:.9em;height:.9em;border-radius:2px;margin-right:.4em}
";

impl Report {
    /// The report as an HTML page with plots. It refers to nothing outside of it, and suits light and dark screens.
    pub fn to_html(&self) -> String {
        let colors: String = (0..COLORS)
            .map(|at| format!("svg .fill.c{at}{{fill:var(--c{at})}}svg .line.c{at}{{stroke:var(--c{at})}}.key.c{at}{{background:var(--c{at})}}\n"))
            .collect();
        let title = escaped(&self.title);
        let mut page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
             <style>\n{STYLE}{colors}</style>\n</head>\n<body>\n<h1>{title}</h1>\n<p>{}.</p>\n",
            escaped(&self.machine.description()),
        );
        for workload in &self.workloads {
            page += &section(workload);
        }
        page + "</body>\n</html>\n"
    }
}

fn section(workload: &WorkloadReport) -> String {
    let targets = &workload.targets;
    let mut html = format!("<h2>{}</h2>\n<p>{}.</p>\n", escaped(&workload.name), escaped(&workload.description));
    html += "<h3>Throughput</h3>\n<p>Operations a second: the median of the rounds, the lowest and the highest.</p>\n";
    html += &throughputs(targets);
    html += "<h3>Latency</h3>\n<p>All operations, by quantile.</p>\n<p>";
    for (at, target) in targets.iter().enumerate() {
        html += &format!("<span class=\"key c{}\"></span>{} &#160; ", at % COLORS, escaped(&target.name));
    }
    html += "</p>\n";
    html += &latencies(targets);
    html += "<table>\n<tr><th class=\"left\">operation</th><th class=\"left\">target</th><th>count</th><th>median</th>\
             <th>lowest to highest</th><th>99 %</th><th>99.9 %</th><th>longest</th></tr>\n";
    let kinds = crate::Kind::ALL.into_iter();
    for (kind, target) in kinds.flat_map(|kind| targets.iter().map(move |target| (kind, target))) {
        for of in target.operations.iter().filter(|of| of.kind == kind) {
            html += &format!(
                "<tr><td class=\"left\">{kind}</td><td class=\"left\">{}</td><td>{}</td><td>{}</td><td>{} to {}</td><td>{}</td><td>{}</td>\
                 <td>{}</td></tr>\n",
                escaped(&target.name),
                of.latencies.count,
                time(of.p50_nanos.median),
                time(of.p50_nanos.low),
                time(of.p50_nanos.high),
                time(of.p99_nanos.median),
                time(of.latencies.p999_nanos as f64),
                time(of.latencies.max_nanos as f64),
            );
        }
    }
    html += "</table>\n<table>\n<tr><th class=\"left\">target</th><th>rounds</th><th>operations a second</th></tr>\n";
    for target in targets {
        let rounds: Vec<String> = target.rounds.iter().map(|round| rate(round.throughput)).collect();
        let name = escaped(&target.name);
        html += &format!(
            "<tr><td class=\"left\">{name}</td><td>{}</td><td>{}</td></tr>\n",
            rounds.len(),
            rounds.join(", ")
        );
    }
    html + "</table>\n"
}
