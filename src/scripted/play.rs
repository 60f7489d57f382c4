//! Acting out a behaviour: which bytes of an answer are sent when.

use std::fmt::Write as _;

use super::ask::Ask;
use super::chat::Answer;
use super::chunks::Chunks;
use super::fields::Point;
use super::http::{Connection, Ending, Stop};
use super::refusal::Refusal;
use super::reply::{Cut, Framing, Reply};
use super::script::Behaviour;

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";
const DONE: &[u8] = b"data: [DONE]\n\n";

/// What a connection keeps from answer to answer, so that nothing is allocated anew.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    reply: Vec<u8>,
    body: Vec<u8>,
}

/// What the client's HTTP allows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Terms {
    pub(super) keep_alive: bool,
    pub(super) knows_chunks: bool,
}

/// Answers with an error.
pub(super) async fn refuse(
    connection: &mut Connection,
    scratch: &mut Scratch,
    terms: Terms,
    refusal: &Refusal,
) -> Result<(), Stop> {
    json(connection, scratch, terms, refusal.status, &refusal.body()).await
}

/// Answers with a JSON body, no script involved.
pub(super) async fn json(
    connection: &mut Connection,
    scratch: &mut Scratch,
    terms: Terms,
    status: u16,
    body: &str,
) -> Result<(), Stop> {
    let mut reply = Reply::new(connection, std::mem::take(&mut scratch.reply), None, None);
    let framing = Framing::Length(body.len());
    reply.head(status, b"content-type: application/json\r\n", framing, terms.keep_alive);
    scratch.reply = reply.end(body.as_bytes()).await?;
    Ok(())
}

/// Answers a chat request as the behaviour says. `echoed` stands for the behaviour's text.
pub(super) async fn chat(
    connection: &mut Connection,
    scratch: &mut Scratch,
    terms: Terms,
    behaviour: &Behaviour,
    ask: &Ask<'_>,
    id: u64,
    echoed: Option<String>,
) -> Result<(), Stop> {
    if !behaviour.before_headers.duration().is_zero() {
        connection.pause(behaviour.before_headers.duration()).await?;
    }
    if behaviour.stall_after == Some(Point::Head) {
        return Err(connection.stall().await);
    }
    let cut = match (behaviour.rst_after, behaviour.fin_after) {
        (Some(Point::Head), _) => return Err(Stop::Cut(Ending::Rst)),
        (_, Some(Point::Head)) => return Err(Stop::Cut(Ending::Fin)),
        (Some(Point::After(after)), _) => Some((Ending::Rst, after)),
        (_, Some(Point::After(after))) => Some((Ending::Fin, after)),
        (None, None) => None,
    };
    let cut = cut.map(|(ending, after)| Cut { ending, after });
    let buffer = std::mem::take(&mut scratch.reply);
    let reply = Reply::new(connection, buffer, behaviour.chunk, cut);

    let status = behaviour.effective_status();
    let broken_whole = behaviour.error_after.is_some() && !ask.stream;
    let body = &mut scratch.body;
    body.clear();
    scratch.reply = if let Some(raw) = &behaviour.body {
        body.extend_from_slice(raw.as_bytes());
        whole(reply, terms, behaviour, status, body).await?
    } else if status >= 300 || broken_whole {
        let status = if status >= 300 { status } else { 500 };
        body.extend_from_slice(Refusal::scripted(behaviour, status).body().as_bytes());
        whole(reply, terms, behaviour, status, body).await?
    } else {
        let answer = Answer::new(behaviour, ask, id, echoed);
        if ask.stream {
            stream(reply, terms, behaviour, ask, &answer, body).await?
        } else {
            answer.whole(body);
            if behaviour.malformed_after.is_some() {
                body.truncate(body.len() / 2);
            }
            let mut reply = reply;
            let wait = time_to_generate(behaviour, &answer);
            reply.pause(wait).await?;
            whole(reply, terms, behaviour, status, body).await?
        }
    };
    Ok(())
}

/// How long the same answer would take as a stream.
fn time_to_generate(behaviour: &Behaviour, answer: &Answer<'_>) -> std::time::Duration {
    let first = behaviour.before_first_token.duration();
    let each = behaviour.per_event.duration();
    if each.is_zero() {
        return first;
    }
    let gaps = answer.deltas().count().saturating_sub(1);
    first.saturating_add(each.saturating_mul(u32::try_from(gaps).unwrap_or(u32::MAX)))
}

async fn whole(
    mut reply: Reply<'_>,
    terms: Terms,
    behaviour: &Behaviour,
    status: u16,
    body: &[u8],
) -> Result<Vec<u8>, Stop> {
    let framing = Framing::Length(body.len());
    head(&mut reply, behaviour, status, JSON, framing, terms.keep_alive);
    if behaviour.stall_after.is_some() {
        return Err(reply.stall().await);
    }
    reply.end(body).await
}

async fn stream(
    mut reply: Reply<'_>,
    terms: Terms,
    behaviour: &Behaviour,
    ask: &Ask<'_>,
    answer: &Answer<'_>,
    event: &mut Vec<u8>,
) -> Result<Vec<u8>, Stop> {
    let (framing, keep_alive) = match terms.knows_chunks {
        true => (Framing::Chunks, terms.keep_alive),
        false => (Framing::Close, false),
    };
    let status = behaviour.effective_status();
    head(&mut reply, behaviour, status, EVENTS, framing, keep_alive);
    if let Some(comment) = &behaviour.comment {
        reply.piece(format!(": {comment}\n\n").as_bytes()).await?;
    }
    let mut chunks = Chunks::new(answer);
    for index in 0..ask.n {
        event.clear();
        chunks.role(event, index);
        reply.piece(event).await?;
    }
    reply.pause(behaviour.before_first_token.duration()).await?;
    let per_event = behaviour.per_event.duration();
    let mut sent: u64 = 0;
    let mut deltas = answer.deltas();
    loop {
        if behaviour.stall_after == Some(Point::After(sent)) {
            return Err(reply.stall().await);
        }
        if behaviour.error_after == Some(sent) {
            return end_with_error(reply, behaviour).await;
        }
        if behaviour.malformed_after == Some(sent) {
            reply.piece(b"data: {\"id\":\"chatcmpl-scripted\",\"choices\":[{\n\n").await?;
        }
        let Some(delta) = deltas.next() else {
            break;
        };
        if sent > 0 {
            reply.pause(per_event).await?;
        }
        for index in 0..ask.n {
            event.clear();
            chunks.delta(event, index, &delta);
            reply.piece(event).await?;
        }
        sent += 1;
    }
    // A fault placed beyond the last token event comes here rather than never.
    if behaviour.stall_after.is_some() {
        return Err(reply.stall().await);
    }
    if behaviour.error_after.is_some() {
        return end_with_error(reply, behaviour).await;
    }
    for index in 0..ask.n {
        event.clear();
        chunks.finish(event, index);
        reply.piece(event).await?;
    }
    if answer.has_usage_chunk() {
        event.clear();
        chunks.usage(event);
        reply.piece(event).await?;
    }
    reply.end(last_event(behaviour)).await
}

/// An error inside a stream that began well, as vLLM sends it.
async fn end_with_error(mut reply: Reply<'_>, behaviour: &Behaviour) -> Result<Vec<u8>, Stop> {
    let error = Refusal::scripted(behaviour, 500).body();
    reply.piece(format!("data: {error}\n\n").as_bytes()).await?;
    reply.end(last_event(behaviour)).await
}

fn last_event(behaviour: &Behaviour) -> &'static [u8] {
    if behaviour.done { DONE } else { b"" }
}

/// The head with the behaviour's own headers.
fn head(
    reply: &mut Reply<'_>,
    behaviour: &Behaviour,
    status: u16,
    content_type: &str,
    framing: Framing,
    keep_alive: bool,
) {
    if behaviour.headers.is_empty() && behaviour.retry_after.is_none() {
        let lines: &[u8] = if content_type == JSON {
            b"content-type: application/json\r\n"
        } else {
            b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
        };
        reply.head(status, lines, framing, keep_alive);
        return;
    }
    let mut lines = String::new();
    let mut typed = false;
    for (name, value) in &behaviour.headers {
        typed = typed || name.eq_ignore_ascii_case("content-type");
        // Writing to a string does not fail.
        let _ = write!(lines, "{name}: {value}\r\n");
    }
    if !typed {
        let _ = write!(lines, "content-type: {content_type}\r\n");
    }
    if let Some(seconds) = behaviour.retry_after {
        let _ = write!(lines, "retry-after: {seconds}\r\n");
    }
    reply.head(status, lines.as_bytes(), framing, keep_alive);
}
