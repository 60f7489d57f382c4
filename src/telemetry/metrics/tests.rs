use super::*;

fn shape() -> Shape {
    Shape {
        targets: vec![TargetLabels {
            target: "small@own".to_owned(),
            provider: "own".to_owned(),
            upstream: "tiny".to_owned(),
        }],
        tenants: vec!["default".to_owned()],
        policies: vec!["default".to_owned()],
        models: vec!["auto".to_owned()],
        config: "sha256:00".to_owned(),
        max_series: 100,
    }
}

fn settled(model: &str) -> Settled<'_> {
    Settled {
        operation: "chat",
        tenant: "default",
        policy: Some("default"),
        model,
        target: Some(TargetId(0)),
        outcome: Outcome::Ok,
        usage: Usage { input: 10, output: 5, ..Usage::default() },
        cost: NanoUsd(1_000),
        saving: NanoUsd(0),
        basis: "prior",
        duration: Duration::from_millis(5),
        first_token: None,
        overhead: Duration::from_micros(40),
    }
}

#[test]
fn a_strangers_model_name_becomes_other() {
    let metrics = Metrics::new(shape());
    metrics.settled(&settled("auto"));
    metrics.settled(&settled("made-up-by-a-scanner"));
    let text = metrics.render();
    assert!(text.contains(r#"gen_ai_request_model="auto""#));
    assert!(text.contains(r#"gen_ai_request_model="other""#));
    assert!(!text.contains("scanner"), "a stranger must not grow the set of label values");
}

#[test]
fn beyond_max_series_requested_names_are_one() {
    let metrics = Metrics::new(Shape { max_series: 1, ..shape() });
    metrics.settled(&settled("auto"));
    assert!(!metrics.render().contains(r#"gen_ai_request_model="auto""#));
}

#[test]
fn two_instances_do_not_share_counts() {
    let (one, two) = (Metrics::new(shape()), Metrics::new(shape()));
    one.settled(&settled("auto"));
    assert!(one.render().contains("waypost_decisions_total{outcome=\"ok\",policy=\"default\",target=\"small@own\"} 1"));
    assert!(!two.render().contains("waypost_decisions_total{"));
}

#[test]
fn bytes_in_flight_return_with_their_request() {
    let metrics = Metrics::new(shape());
    let mut request = metrics.request_started();
    assert_eq!(request.holds(1_000), 1_000);
    drop(request);
    assert!(metrics.render().contains("waypost_inflight_bytes 0"));
}

#[test]
fn every_family_has_a_name_that_dashboards_can_use() {
    let names = Metrics::names();
    for name in ["waypost_decisions_total", "waypost_overhead_seconds_bucket", "waypost_store_up"] {
        assert!(names.iter().any(|known| known == name), "{name} is missing from {names:?}");
    }
}
