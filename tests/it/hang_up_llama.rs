//! The same with a real llama.cpp, whose own log and metrics say that it stopped generating.

use crate::harness::{Gone, LlamaCpp, Setup, chat, chat_stream, eventually};

/// Cancelled tasks in the server's log.
fn cancels(llama: &LlamaCpp) -> usize {
    llama.log().matches("stop: cancel task").count()
}

/// One test, so that nobody else's requests are in the server's figures.
#[test]
fn a_hang_up_stops_a_real_model_in_the_middle_of_its_answer() {
    let llama = LlamaCpp::start();
    let gateway =
        Setup::new().provider_at("own", &llama.origin(), "kind: llamacpp").model("tiny", "own", "tier: weak").start();

    for how in [Gone::Fin, Gone::Rst] {
        let before = cancels(llama);
        let mut events =
            gateway.chat(&chat_stream("tiny", "SCRIPT=loop please")).header("x-request-id", "streamed").stream();
        for _ in 0..3 {
            events.content();
        }
        events.leave(how);
        eventually("the task of the stream is cancelled", || (cancels(llama) > before).then_some(()));
        llama.wait_until_processing(0);

        let before = cancels(llama);
        let waiting = gateway.chat(&chat("tiny", "SCRIPT=loop please")).header("x-request-id", "whole").begin();
        llama.wait_until_processing(1);
        waiting.leave(how);
        eventually("the task of the whole answer is cancelled", || (cancels(llama) > before).then_some(()));
        llama.wait_until_processing(0);
    }
    for id in ["streamed", "whole"] {
        eventually("both are in the log", || (gateway.lines_of(id).len() == 2).then_some(()));
        for line in gateway.lines_of(id) {
            assert_eq!(line["outcome"], "cancelled");
            assert!(line["cost_nusd"].as_i64() > Some(0), "{line}");
        }
    }
}
