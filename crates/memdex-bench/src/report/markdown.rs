//! A report as Markdown.

use super::data::{Report, Spread, WorkloadReport};
use super::escape::markdown as escaped;
use super::units::{rate, time};

impl Report {
    /// The report as Markdown: for each workload a table of throughputs and one of latencies.
    pub fn to_markdown(&self) -> String {
        let mut text = format!("# {}\n\n{}.\n", escaped(&self.title), escaped(&self.machine.description()));
        for workload in &self.workloads {
            text += &format!("\n## {}\n\n{}.\n\n", escaped(&workload.name), escaped(&workload.description));
            text += &throughputs(workload);
            text += &latencies(workload);
        }
        text
    }
}

fn throughputs(workload: &WorkloadReport) -> String {
    let mut text =
        "| target | throughput | lowest to highest | × the first |\n| --- | ---: | ---: | ---: |\n".to_owned();
    let first = workload.targets.first().map_or(0.0, |target| target.throughput.median);
    for target in &workload.targets {
        let Spread { median, low, high } = target.throughput;
        let ratio = if first > 0.0 { format!("{:.2}", median / first) } else { "–".to_owned() };
        text +=
            &format!("| {} | {} | {} to {} | {ratio} |\n", escaped(&target.name), rate(median), rate(low), rate(high));
    }
    text
}

fn latencies(workload: &WorkloadReport) -> String {
    let mut text =
        "\n| operation | target | count | median | lowest to highest | 99 % | 99.9 % | longest |\n".to_owned();
    text += "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |\n";
    let kinds = crate::Kind::ALL.into_iter();
    for (kind, target) in kinds.flat_map(|kind| workload.targets.iter().map(move |target| (kind, target))) {
        for of in target.operations.iter().filter(|of| of.kind == kind) {
            let latencies = &of.latencies;
            text += &format!(
                "| {kind} | {} | {} | {} | {} to {} | {} | {} | {} |\n",
                escaped(&target.name),
                latencies.count,
                time(of.p50_nanos.median),
                time(of.p50_nanos.low),
                time(of.p50_nanos.high),
                time(of.p99_nanos.median),
                time(latencies.p999_nanos as f64),
                time(latencies.max_nanos as f64),
            );
        }
    }
    text
}
