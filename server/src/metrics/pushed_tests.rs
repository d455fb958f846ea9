//! What scrapers read of what clients pushed.

use super::*;

fn pairs(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn point(name: &str, sample: Sample) -> Point {
    Point { name: name.to_owned(), labels: pairs(&[("topic", "t")]), sample }
}

fn delta(value: f64) -> Sample {
    Sample::Sum { value, is_delta: true }
}

fn shown(instances: Vec<PushedInstance>) -> Vec<String> {
    let instances: Vec<_> = instances.into_iter().map(Arc::new).collect();
    render_pushed(&instances).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn client(id: &str) -> Vec<(String, String)> {
    pairs(&[("client_id", id)])
}

#[test]
fn names_and_labels_are_made_right() {
    let own = pairs(&[("client_id", "other"), ("node-id", "1"), ("__x", "y"), ("le", "z"), ("é", "n")]);
    let points = vec![
        Point { name: "org.apache.kafka.producer.a-b".to_owned(), labels: own, sample: Sample::Gauge(1.0) },
        point("org.apache.kafka.producer.sent.total", delta(2.0)),
        point("sent", Sample::Sum { value: f64::INFINITY, is_delta: false }),
        point("..", Sample::Gauge(1.0)),
        // A name of our own.
        point("connections", Sample::Gauge(1.0)),
    ];
    assert_eq!(
        shown(vec![PushedInstance::default().next(client("a\"b"), points, 9)]),
        [
            "ottla_client_producer_a_b{client_id=\"a\\\"b\",node_id=\"1\",x=\"y\"} 1",
            "ottla_client_producer_sent_total{client_id=\"a\\\"b\",topic=\"t\"} 2",
            "ottla_client_sent_total{client_id=\"a\\\"b\",topic=\"t\"} +Inf",
        ]
    );
}

#[test]
fn what_grew_is_added_up_and_the_last_of_others_stands() {
    let push = |instance: &PushedInstance, sum: f64, gauge: f64| {
        instance.next(client("a"), vec![point("s", delta(sum)), point("g", Sample::Gauge(gauge))], 9)
    };
    let mut instance = push(&push(&PushedInstance::default(), 2.0, 5.0), 3.0, 4.0);
    let series =
        |name: &str, value: u32| format!("ottla_client_{name}{{client_id=\"a\",topic=\"t\"}} {value}");
    assert_eq!(shown(vec![instance.clone()]), [series("g", 4), series("s_total", 5)]);
    for _ in 1..MISSED_MAX {
        instance = instance.next(client("a"), Vec::new(), 9);
        assert_eq!(shown(vec![instance.clone()]), [series("s_total", 5)]);
    }
    instance = instance.next(client("a"), Vec::new(), 9);
    assert!(instance.is_empty());
}

#[test]
fn a_name_has_one_kind_whoever_shows_it() {
    let gauge = |name: &str| vec![point(name, Sample::Gauge(1.0))];
    let histogram = Sample::Histogram { sum: 3.0, bounds: vec![0.5], counts: vec![2, 1], is_delta: false };
    let instances = vec![
        PushedInstance::default().next(client("a"), vec![point("h", histogram)], 9),
        PushedInstance::default().next(client("b"), gauge("h"), 9),
        PushedInstance::default().next(client("c"), gauge("h_sum"), 9),
    ];
    let labels = "client_id=\"a\",topic=\"t\"";
    assert_eq!(
        shown(instances),
        [
            format!("ottla_client_h_bucket{{{labels},le=\"0.5\"}} 2"),
            format!("ottla_client_h_bucket{{{labels},le=\"+Inf\"}} 3"),
            format!("ottla_client_h_sum{{{labels}}} 3"),
            format!("ottla_client_h_count{{{labels}}} 3"),
        ]
    );
}

#[test]
fn there_are_no_more_series_than_there_may_be() {
    let points = (0..9).map(|number| point(&format!("m{number}"), delta(1.0))).collect();
    let instance = PushedInstance::default().next(client("a"), points, 4);
    assert_eq!(instance.len(), 4);
    let others = (0..9).map(|number| point(&format!("n{number}"), delta(1.0))).collect();
    assert_eq!(instance.next(client("a"), others, 4).len(), 4);
}
