//! Acting out a behaviour: which bytes of an answer are sent when.

use std::fmt::Write as _;

use super::answer::Answer;
use super::ask::Ask;
use super::endpoint::{Endpoint, Format};
use super::events::{Events, Writer, writer};
use super::fields::Point;
use super::http::{Connection, Ending, Stop};
use super::refusal::Refusal;
use super::reply::{Cut, Framing, Reply};
use super::script::Behaviour;
use super::{embeddings, messages};

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream; charset=utf-8";

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
    format: Format,
) -> Result<(), Stop> {
    json(connection, scratch, terms, refusal.status, &refusal.body(format)).await
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

/// What is to be played.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub(super) behaviour: &'a Behaviour,
    pub(super) ask: &'a Ask<'a>,
    pub(super) endpoint: Endpoint,
    /// The answer's number.
    pub(super) id: u64,
    /// Stands for the behaviour's text.
    pub(super) echoed: Option<String>,
}

/// Answers a request as the behaviour says.
pub(super) async fn part(
    connection: &mut Connection,
    scratch: &mut Scratch,
    terms: Terms,
    part: Part<'_>,
) -> Result<(), Stop> {
    let Part { behaviour, ask, endpoint, id, echoed } = part;
    let format = endpoint.format();
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

    let status = behaviour.status_in(format);
    let broken_whole = behaviour.error_after.is_some() && !ask.stream;
    let body = &mut scratch.body;
    body.clear();
    scratch.reply = if let Some(raw) = &behaviour.body {
        body.extend_from_slice(raw.as_bytes());
        whole(reply, terms, behaviour, status, body).await?
    } else if status >= 300 || broken_whole {
        let status = if status >= 300 { status } else { 500 };
        body.extend_from_slice(Refusal::scripted(behaviour, status, format).body(format).as_bytes());
        whole(reply, terms, behaviour, status, body).await?
    } else {
        let answer = Answer::new(behaviour, ask, endpoint, id, echoed);
        if ask.stream {
            let mut events = Events::with(std::mem::take(body));
            let streamed = stream(reply, terms, &answer, endpoint, &mut events).await;
            scratch.body = events.bytes;
            streamed?
        } else {
            match silent(endpoint, &answer) {
                Some(made) => body.extend_from_slice(made.as_bytes()),
                None => writer(endpoint, &answer).whole(body),
            }
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

/// The endpoints that say nothing, and so never stream.
fn silent(endpoint: Endpoint, answer: &Answer<'_>) -> Option<String> {
    match endpoint {
        Endpoint::Embeddings => Some(embeddings::openai(answer)),
        Endpoint::EmbedContent | Endpoint::BatchEmbed => Some(embeddings::gemini(answer, endpoint)),
        Endpoint::CountTokens => Some(messages::count(answer)),
        _ => None,
    }
}

async fn stream(
    mut reply: Reply<'_>,
    terms: Terms,
    answer: &Answer<'_>,
    endpoint: Endpoint,
    events: &mut Events,
) -> Result<Vec<u8>, Stop> {
    let behaviour = answer.behaviour;
    let (framing, keep_alive) = match terms.knows_chunks {
        true => (Framing::Chunks, terms.keep_alive),
        false => (Framing::Close, false),
    };
    head(&mut reply, behaviour, behaviour.status_in(endpoint.format()), EVENTS, framing, keep_alive);
    if let Some(comment) = &behaviour.comment {
        reply.piece(format!(": {comment}\n\n").as_bytes()).await?;
    }
    let mut writer = writer(endpoint, answer);
    writer.open(events);
    send(&mut reply, events).await?;
    reply.pause(behaviour.before_first_token.duration()).await?;
    let per_event = behaviour.per_event.duration();
    let mut sent: u64 = 0;
    let mut deltas = answer.deltas();
    loop {
        if behaviour.stall_after == Some(Point::After(sent)) {
            return Err(reply.stall().await);
        }
        if behaviour.error_after == Some(sent) {
            return end_with_error(reply, behaviour, endpoint, events, &mut *writer).await;
        }
        if behaviour.malformed_after == Some(sent) {
            reply.piece(writer.malformed()).await?;
        }
        let Some(delta) = deltas.next() else {
            break;
        };
        if sent > 0 {
            reply.pause(per_event).await?;
        }
        writer.delta(events, &delta);
        send(&mut reply, events).await?;
        sent += 1;
    }
    // A fault placed beyond the last token event comes here rather than never.
    if behaviour.stall_after.is_some() {
        return Err(reply.stall().await);
    }
    if behaviour.error_after.is_some() {
        return end_with_error(reply, behaviour, endpoint, events, &mut *writer).await;
    }
    writer.close(events);
    send_last(reply, events).await
}

async fn end_with_error(
    reply: Reply<'_>,
    behaviour: &Behaviour,
    endpoint: Endpoint,
    events: &mut Events,
    writer: &mut (dyn Writer + '_),
) -> Result<Vec<u8>, Stop> {
    writer.fail(events, &Refusal::scripted(behaviour, 500, endpoint.format()));
    send_last(reply, events).await
}

/// Sends each event in a write of its own.
async fn send(reply: &mut Reply<'_>, events: &mut Events) -> Result<(), Stop> {
    for event in events.iter() {
        reply.piece(event).await?;
    }
    events.clear();
    Ok(())
}

/// The same for the events that end the stream, the last of them in one write with the body's end.
async fn send_last(mut reply: Reply<'_>, events: &Events) -> Result<Vec<u8>, Stop> {
    let mut last: &[u8] = b"";
    for (place, event) in events.iter().enumerate() {
        if place + 1 == events.len() {
            last = event;
        } else {
            reply.piece(event).await?;
        }
    }
    reply.end(last).await
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
