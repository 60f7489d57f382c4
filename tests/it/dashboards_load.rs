//! Under a small load of every kind, each panel of the dashboard has data in a real Prometheus.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::dashboards::every_panel_has_data;
use crate::harness::{Gateway, Setup, Upstream, chat, chat_stream, runtime, with};

/// One round of everything that a panel counts.
fn round(gateway: &Gateway, turn: usize) {
    let exact = with(chat("small", "the same again"), "temperature", json!(0));
    for request in [
        gateway.chat(&chat("auto", &format!("hi {turn}"))),
        gateway.chat(&chat_stream("auto", &format!("hello {turn}"))),
        gateway.chat(&exact),
        gateway.chat(&chat("large", "hi")).labels("data-class=personal"),
        gateway.chat(&chat("auto", "hi")).labels("data-class=personal"),
        gateway.chat(&chat_stream("failing", "hi")),
    ] {
        request.send();
    }
}

#[test]
fn every_panel_of_the_dashboard_has_data() {
    let (own, paid, failing) = (Upstream::plain(), Upstream::plain(), Upstream::that("status: 500"));
    let gateway = Setup::own_and_paid(&own, &paid)
        .provider("failing", &failing, "")
        .model("failing", "failing", "tier: weak, price: { input: 100, output: 100 }")
        .section("classifier: { model: embedded, deadline: 5s }")
        .section("cache: { exact: on }")
        .start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut turn = 0;
            while !over.load(Ordering::Relaxed) {
                round(&gateway, turn);
                turn += 1;
            }
        });
        let outcome = std::panic::catch_unwind(|| runtime().block_on(every_panel_has_data(gateway.admin)));
        over.store(true, Ordering::Relaxed);
        if let Err(failure) = outcome {
            std::panic::resume_unwind(failure);
        }
    });
}
