//! What is shown of a broker, from one page of its metrics or two: lines of text that fit a terminal, and no more.

use super::page::{Page, Sample};
use std::time::Duration;

/// A page, what `/readyz` said, and the page before it.
pub(super) struct Look<'a> {
    pub(super) address: &'a str,
    pub(super) state: &'a str,
    pub(super) now: &'a Page,
    pub(super) before: Option<(&'a Page, Duration)>,
}

/// What should be 0, and what it means.
const WRONG: [(&str, &str); 4] = [
    ("ottla_log_dir_offline", "data directories take no more writes"),
    ("ottla_quarantined_bytes", "bytes of logs are damaged"),
    ("ottla_uncleanable_logs", "logs cannot be compacted"),
    ("ottla_group_shards_loading", "partitions of the group coordinator are being read"),
];

impl Look<'_> {
    /// What a counter rose by in a second; nothing before there are two pages.
    fn rate(&self, sum: impl Fn(&Page) -> f64) -> Option<f64> {
        let (before, elapsed) = self.before?;
        Some((sum(self.now) - sum(before)).max(0.0) / elapsed.as_secs_f64().max(0.001))
    }

    fn rate_of(&self, metric: &str) -> String {
        number(self.rate(|page| page.sum(metric)))
    }

    /// All lines, cut to the terminal.
    pub(super) fn lines(&self, columns: usize, rows: usize) -> Vec<String> {
        let mut lines = self.head();
        let left = rows.saturating_sub(lines.len() + 6);
        let groups = self.groups();
        let for_groups = groups.len().min(left / 2);
        lines.push(String::new());
        lines.extend(table(
            &["TOPIC", "PARTITIONS", "RECORDS IN/s", "BYTES IN/s", "RECORDS OUT/s", "BYTES OUT/s", "ON DISK"],
            self.topics(),
            left - for_groups,
        ));
        lines.push(String::new());
        lines.extend(table(&["GROUP", "STATE", "MEMBERS", "BEHIND", "FOR", "COMMITS/s"], groups, for_groups));
        lines.truncate(rows);
        lines.iter().map(|line| line.chars().take(columns).collect()).collect()
    }

    fn head(&self) -> Vec<String> {
        let now = self.now;
        let version = now.samples("ottla_build_info").first().map_or("", |sample| sample.label("version"));
        let cpu = self.rate(|page| page.sum("ottla_process_cpu_seconds")).map(|cpus| cpus * 100.0);
        let errors = number(self.rate(|page| page.sum("ottla_request_errors_total")));
        let mut lines = vec![
            format!(
                "ottla {version} at {}: {}, up {}   cpu {} %   memory {}B   connections {}",
                self.address,
                self.state,
                time(now.sum("ottla_uptime_seconds")),
                number(cpu),
                short(now.sum("ottla_process_resident_memory_bytes")),
                short(now.sum("ottla_connections")),
            ),
            format!(
                "requests {}/s   errors {errors}/s   records in {}/s   out {}/s   flushes {}/s",
                self.rate_of("ottla_requests_total"),
                self.rate_of("ottla_topic_received_records_total"),
                self.rate_of("ottla_topic_sent_records_total"),
                self.rate_of("ottla_journal_commits_total"),
            ),
        ];
        let wrong = WRONG.iter().filter(|(metric, _)| now.sum(metric) > 0.0);
        let wrong: Vec<_> =
            wrong.map(|(metric, what)| format!("WRONG: {} {what}", short(now.sum(metric)))).collect();
        lines.extend(if wrong.is_empty() { vec!["nothing is wrong".to_owned()] } else { wrong });
        lines
    }

    /// The busiest first.
    fn topics(&self) -> Vec<Vec<String>> {
        let rate = |metric: &str, topic: &str| self.rate(|page| page.of(metric, "topic", topic));
        let mut topics: Vec<_> = self
            .now
            .samples("ottla_topic_log_bytes")
            .iter()
            .map(|sample| {
                let topic = sample.label("topic");
                let bytes_in = rate("ottla_topic_received_bytes_total", topic);
                let bytes_out = rate("ottla_topic_sent_bytes_total", topic);
                let busy = bytes_in.unwrap_or(0.0) + bytes_out.unwrap_or(0.0);
                let cells = vec![
                    shown_name(topic),
                    short(self.now.of("ottla_topic_partitions", "topic", topic)),
                    number(rate("ottla_topic_received_records_total", topic)),
                    number(bytes_in),
                    number(rate("ottla_topic_sent_records_total", topic)),
                    number(bytes_out),
                    format!("{}B", short(sample.value)),
                ];
                (busy, sample.value, cells)
            })
            .collect();
        topics.sort_by(|a, b| b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1)));
        topics.into_iter().map(|(.., cells)| cells).collect()
    }

    /// Who is furthest behind first.
    fn groups(&self) -> Vec<Vec<String>> {
        let mut all: Vec<&Sample> = self.now.samples("ottla_consumer_group_lag_records").iter().collect();
        all.sort_by(|a, b| b.value.total_cmp(&a.value));
        let row = |sample: &&Sample| {
            let group = sample.label("group");
            let of = |metric: &str| self.now.of(metric, "group", group);
            let states = self.now.samples("ottla_consumer_group_state");
            let state = states.iter().find(|state| state.label("group") == group);
            let commits = "ottla_consumer_group_offset_commits_total";
            vec![
                shown_name(group),
                state.map_or("", |state| state.label("state")).to_owned(),
                short(of("ottla_consumer_group_members")),
                short(sample.value),
                time(of("ottla_consumer_group_lag_seconds")),
                number(self.rate(|page| page.of(commits, "group", group))),
            ]
        };
        all.iter().map(row).collect()
    }
}

/// A client chose it: nothing in it may reach the terminal but what can be seen.
fn shown_name(name: &str) -> String {
    name.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Rows under their titles; numbers stand right, names left.
fn table(titles: &[&str], rows: Vec<Vec<String>>, rows_max: usize) -> Vec<String> {
    let hidden = rows.len().saturating_sub(rows_max);
    let titles: Vec<String> = titles.iter().map(|title| (*title).to_owned()).collect();
    let shown: Vec<Vec<String>> = [titles].into_iter().chain(rows.into_iter().take(rows_max)).collect();
    let width = |column: usize| shown.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..shown[0].len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(at, (cell, width))| match at {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ")
    };
    let mut lines: Vec<String> = shown.iter().map(line).collect();
    if hidden > 0 {
        lines.push(format!("… and {hidden} more"));
    }
    lines
}

fn number(value: Option<f64>) -> String {
    value.map_or("-".to_owned(), short)
}

/// Three digits and a unit.
fn short(value: f64) -> String {
    const UNITS: [(f64, &str); 4] = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match UNITS.iter().find(|(unit, _)| value >= *unit) {
        Some((unit, name)) if value / unit < 100.0 => format!("{:.1}{name}", value / unit),
        Some((unit, name)) => format!("{:.0}{name}", value / unit),
        None if value.fract() == 0.0 || value >= 100.0 => format!("{value:.0}"),
        None => format!("{value:.1}"),
    }
}

fn time(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.0}s"),
        60..3600 => format!("{}m{:02}s", whole / 60, whole % 60),
        3600..86_400 => format!("{}h{:02}m", whole / 3600, whole / 60 % 60),
        _ => format!("{}d{:02}h", whole / 86_400, whole / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "ottla_topic_log_bytes{topic=\"orders\"} 100\nottla_topic_received_records_total{topic=\"orders\"} 10\n\
        ottla_requests_total{api=\"Produce\"} 4\n";
    const NOW: &str = "ottla_build_info{version=\"0.1.0\"} 1\nottla_uptime_seconds 3700\n\
        ottla_topic_log_bytes{topic=\"orders\"} 2500\nottla_topic_partitions{topic=\"orders\"} 3\n\
        ottla_topic_received_records_total{topic=\"orders\"} 50\nottla_requests_total{api=\"Produce\"} 8\n\
        ottla_consumer_group_lag_records{group=\"bill\x1bing\"} 12345\nottla_consumer_group_lag_seconds{group=\"bill\x1bing\"} 75\n\
        ottla_consumer_group_state{group=\"bill\x1bing\",state=\"Stable\"} 1\nottla_consumer_group_members{group=\"bill\x1bing\"} 2\n\
        ottla_log_dir_offline{dir=\"/d\"} 1\n";

    fn shown(before: bool, columns: usize, rows: usize) -> Vec<String> {
        let (old, now) = (Page::parse(BEFORE), Page::parse(NOW));
        let before = before.then_some((&old, Duration::from_secs(2)));
        Look { address: "host:1", state: "ready", now: &now, before }.lines(columns, rows)
    }

    #[test]
    fn a_look_shows_rates_lag_and_what_is_wrong() {
        let lines = shown(true, 200, 40);
        assert!(lines[0].starts_with("ottla 0.1.0 at host:1: ready, up 1h01m"), "{lines:?}");
        assert!(lines[1].starts_with("requests 2/s") && lines[1].contains("records in 20/s"), "{lines:?}");
        assert_eq!(lines[2], "WRONG: 1 data directories take no more writes");
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let line = |start: &str| words(lines.iter().find(|line| line.starts_with(start)).expect(start));
        assert_eq!(line("orders")[..3], ["orders", "3", "20"]);
        assert_eq!(line("orders")[6], "2.5kB");
        assert_eq!(
            line("bill?ing"),
            ["bill?ing", "Stable", "2", "12.3k", "1m15s", "0"],
            "no escape gets through"
        );
    }

    #[test]
    fn the_first_look_has_no_rates_and_a_small_terminal_is_kept_to() {
        assert!(shown(false, 200, 40)[1].starts_with("requests -/s"));
        let small = shown(true, 20, 5);
        assert!(small.len() <= 5 && small.iter().all(|line| line.chars().count() <= 20), "{small:?}");
    }
}
