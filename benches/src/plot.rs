//! Pictures of figures, as SVG by hand: bars of ratios for the comparison, lines of costs for growth.
//!
//! Invariants: scales are logarithmic, for a half and a double are equally far from one; every mark has its figure in words.

use std::fmt::Write;

const BAR_HEIGHT: usize = 14;
const GROUP_GAP: usize = 12;
const LABEL_WIDTH: f64 = 430.0;
const PLOT_WIDTH: f64 = 420.0;
const NOTE_WIDTH: f64 = 70.0;
const COLOURS: [&str; 4] = ["#2563a8", "#c2641a", "#6b7280", "#3f8f4f"];
const STYLE: &str =
    "text{font:12px sans-serif;fill:#1f2328}.note{fill:#57606a}line{stroke:#d0d7de}.one{stroke:#57606a}";

/// A work, and how many times Kafka's figure each broker's is. Longer bars are always better.
pub(crate) struct Bar {
    pub label: String,
    pub ratios: Vec<f64>,
}

/// Bars of how many times better than Kafka each broker is.
pub(crate) fn bars(title: &str, brokers: &[impl AsRef<str>], all: &[Bar]) -> String {
    let most = all.iter().flat_map(|bar| &bar.ratios).copied().fold(10.0, f64::max);
    let least = all.iter().flat_map(|bar| &bar.ratios).copied().fold(0.5, f64::min);
    let x =
        |ratio: f64| LABEL_WIDTH + PLOT_WIDTH * (ratio.max(1e-9) / least).log10() / (most / least).log10();
    let mut body = String::new();
    let mut y = 66;
    for bar in all {
        let height = bar.ratios.len() * BAR_HEIGHT;
        let middle = y + height / 2 + 4;
        let _ = writeln!(
            body,
            r#"<text x="{}" y="{middle}" text-anchor="end">{}</text>"#,
            LABEL_WIDTH - 8.0,
            escaped(&bar.label)
        );
        for (at, ratio) in bar.ratios.iter().enumerate() {
            let (from, to) = (x(1.0).min(x(*ratio)), x(1.0).max(x(*ratio)));
            let top = y + at * BAR_HEIGHT;
            let _ = writeln!(
                body,
                r#"<rect x="{from:.1}" y="{top}" width="{:.1}" height="{}" fill="{}"/><text class="note" x="{:.1}" y="{}">{}</text>"#,
                (to - from).max(1.0),
                BAR_HEIGHT - 2,
                COLOURS[at % COLOURS.len()],
                to + 4.0,
                top + BAR_HEIGHT - 3,
                times(*ratio)
            );
        }
        y += height + GROUP_GAP;
    }
    let mut head = format!(r#"<text x="8" y="20" font-weight="bold">{}</text>"#, escaped(title));
    for (at, broker) in brokers.iter().enumerate() {
        let left = 8 + at * 160;
        let _ = write!(
            head,
            r#"<rect x="{left}" y="32" width="12" height="12" fill="{}"/><text x="{}" y="43">{}</text>"#,
            COLOURS[at % COLOURS.len()],
            left + 18,
            escaped(broker.as_ref())
        );
    }
    let one = x(1.0);
    let _ = write!(head, r#"<line class="one" x1="{one:.1}" y1="56" x2="{one:.1}" y2="{y}"/>"#);
    document(LABEL_WIDTH + PLOT_WIDTH + NOTE_WIDTH, y as f64 + 8.0, &format!("{head}\n{body}"))
}

/// A cost at several sizes.
pub(crate) struct Line {
    pub label: String,
    /// The sizes and what each cost.
    pub points: Vec<(f64, f64)>,
}

/// Lines of costs against sizes, both axes logarithmic: what grows in proportion rises by one for one.
pub(crate) fn lines(title: &str, x_label: &str, y_label: &str, all: &[Line]) -> String {
    const LEFT: f64 = 70.0;
    const TOP: f64 = 50.0;
    const SIZE: f64 = 300.0;
    let every = || all.iter().flat_map(|line| &line.points);
    let range = |pick: fn(&(f64, f64)) -> f64| {
        let logs = every().map(pick).map(|value| value.max(1e-9).log10());
        let (low, high) = logs.fold((f64::MAX, f64::MIN), |(low, high), log| (low.min(log), high.max(log)));
        (low.floor(), high.ceil().max(low.floor() + 1.0))
    };
    let ((x_low, x_high), (y_low, y_high)) = (range(|point| point.0), range(|point| point.1));
    let x = |value: f64| LEFT + SIZE * (value.max(1e-9).log10() - x_low) / (x_high - x_low);
    let y = |value: f64| TOP + SIZE * (y_high - value.max(1e-9).log10()) / (y_high - y_low);
    let mut body = format!(r#"<text x="8" y="20" font-weight="bold">{}</text>"#, escaped(title));
    for exponent in x_low as i32..=x_high as i32 {
        let (value, bottom) = (10f64.powi(exponent), TOP + SIZE);
        let _ = write!(
            body,
            r#"<line x1="{0:.1}" y1="{TOP}" x2="{0:.1}" y2="{bottom}"/><text class="note" x="{0:.1}" y="{1}" text-anchor="middle">{2}</text>"#,
            x(value),
            bottom + 16.0,
            short(value)
        );
    }
    for exponent in y_low as i32..=y_high as i32 {
        let value = 10f64.powi(exponent);
        let _ = write!(
            body,
            r#"<line x1="{LEFT}" y1="{0:.1}" x2="{1}" y2="{0:.1}"/><text class="note" x="{2}" y="{3:.1}" text-anchor="end">{4}</text>"#,
            y(value),
            LEFT + SIZE,
            LEFT - 6.0,
            y(value) + 4.0,
            short(value)
        );
    }
    for (at, line) in all.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let path: Vec<_> =
            line.points.iter().map(|(size, cost)| format!("{:.1},{:.1}", x(*size), y(*cost))).collect();
        let _ = writeln!(
            body,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#,
            path.join(" ")
        );
        for (size, cost) in &line.points {
            let _ =
                write!(body, r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{colour}"/>"#, x(*size), y(*cost));
        }
        let _ = write!(
            body,
            r#"<rect x="{}" y="{}" width="12" height="12" fill="{colour}"/><text x="{}" y="{}">{}</text>"#,
            LEFT + SIZE + 20.0,
            TOP + at as f64 * 20.0,
            LEFT + SIZE + 38.0,
            TOP + at as f64 * 20.0 + 11.0,
            escaped(&line.label)
        );
    }
    let _ = write!(
        body,
        r#"<text x="{}" y="{}" text-anchor="middle">{}</text><text x="8" y="{}">{}</text>"#,
        LEFT + SIZE / 2.0,
        TOP + SIZE + 34.0,
        escaped(x_label),
        TOP - 10.0,
        escaped(y_label)
    );
    document(LEFT + SIZE + 240.0, TOP + SIZE + 48.0, &body)
}

fn document(width: f64, height: f64, body: &str) -> String {
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"><style>{STYLE}</style><rect width="100%" height="100%" fill="#ffffff"/>{body}</svg>
"##
    )
}

fn times(ratio: f64) -> String {
    if ratio >= 10.0 { format!("{ratio:.0}x") } else { format!("{ratio:.2}x") }
}

fn short(value: f64) -> String {
    if value >= 1e6 {
        format!("{}M", value / 1e6)
    } else if value >= 1e3 {
        format!("{}k", value / 1e3)
    } else {
        format!("{value}")
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ratio_is_in_words_and_longer_is_better() {
        let bar = |label: &str, ratios: &[f64]| Bar { label: label.to_owned(), ratios: ratios.to_vec() };
        let svg = bars(
            "A & B",
            &["relaxed", "durable"],
            &[bar("slow <1>", &[0.5, 4.0]), bar("fast", &[40.0, 12.5])],
        );
        for word in ["A &amp; B", "slow &lt;1&gt;", "0.50x", "4.00x", "40x", "12x", "relaxed", "durable"] {
            assert!(svg.contains(word), "{word} is not in {svg}");
        }
        let widths: Vec<f64> = svg
            .split("height=\"12\" fill")
            .filter_map(|part| part.rsplit_once("width=\"")?.1.trim_end_matches("\" ").parse().ok())
            .collect();
        assert_eq!(widths.len(), 6, "two of the legend and four bars: {widths:?}");
        assert!(widths[5] < widths[4] && widths[3] < widths[4], "{widths:?}");
    }

    #[test]
    fn lines_go_through_all_points() {
        let line =
            Line { label: "cost".to_owned(), points: vec![(10.0, 1.0), (100.0, 10.0), (1_000.0, 100.0)] };
        let svg = lines("Growth", "partitions", "KiB", &[line]);
        assert_eq!(svg.matches("<circle").count(), 3);
        // In proportion is a straight line from corner to corner.
        assert!(svg.contains("70.0,350.0 220.0,200.0 370.0,50.0"), "{svg}");
    }
}
