//! What translating a streamed answer costs alone, beside passing it through: recorded streams of over 100 events on one
//! thread, an event at a time as a model sends them, no network.
//!
//! `translate_alone FIXTURES [ROUNDS]` prints the CPU nanoseconds an event of each way and, from the same rounds, how many
//! times the cost of passing the stream through that is. FIXTURES is the folder `tests/fixtures/exchanges`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use waypost::chat::Format;
use waypost::money::NanoUsd;
use waypost::wire::Envelope;
use waypost::wire::passage::Passage;
use waypost::wire::sse::Events;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Recordings, the format they are in, and what stands in those of their events that are repeated until there are
/// [`EVENTS`] in all.
const STREAMS: [(&str, Format, &str); 7] = [
    ("088-mistral-chat-stream-text", Format::Chat, "\"content\":"),
    ("095-deepseek-chat-stream-reasoning", Format::Chat, "\"content\":"),
    ("101-groq-chat-stream-text", Format::Chat, "\"content\":"),
    ("005-openai-chat-stream-text-usage", Format::Chat, "\"content\":"),
    ("038-anthropic-messages-stream-cached", Format::Messages, "_delta\",\"text\":"),
    ("019-openai-responses-stream-text", Format::Responses, "output_text.delta"),
    ("057-gemini-gen-stream-stream-thinking", Format::Gemini, "\"text\":"),
];
const EVENTS: usize = 100;
const TARGETS: [Format; 3] = [Format::Chat, Format::Messages, Format::Responses];
/// Streams passed on in one measurement.
const STREAMS_PER_SAMPLE: u32 = 200;
const ROUNDS: usize = 31;

/// One way of one stream, and what it cost in each round.
struct Way {
    name: &'static str,
    from: Format,
    to: Format,
    /// One event each.
    pieces: Vec<Bytes>,
    nanoseconds: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else { return Err("usage: translate_alone FIXTURES [ROUNDS]".into()) };
    let rounds = arguments.get(1).map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let mut ways = Vec::new();
    for (name, from, repeated) in STREAMS {
        let recorded = std::fs::read(Path::new(folder).join(name).with_extension("sse"))?;
        let pieces = stretched(&recorded, repeated)?;
        for to in TARGETS {
            let nanoseconds = Vec::with_capacity(rounds);
            ways.push(Way { name, from, to, pieces: pieces.clone(), nanoseconds });
        }
    }
    for way in &ways {
        let bytes = way.run()?;
        assert!(bytes > EVENTS, "{} to {:?} gave {bytes} bytes", way.name, way.to);
    }
    for _ in 0..rounds {
        for way in &mut ways {
            let before = cpu_nanoseconds()?;
            for _ in 0..STREAMS_PER_SAMPLE {
                way.run()?;
            }
            let spent = cpu_nanoseconds()? - before;
            way.nanoseconds.push(spent as f64 / f64::from(STREAMS_PER_SAMPLE) / way.pieces.len() as f64);
        }
    }
    show(&ways);
    Ok(())
}

impl Way {
    /// Passes the stream on once; how many bytes the client got.
    fn run(&self) -> Result<usize, Box<dyn Error>> {
        let mut relay = passage(self.from, self.to).stream();
        let mut out = Vec::with_capacity(4);
        let mut bytes = 0;
        for piece in &self.pieces {
            relay.push(piece.clone(), &mut out)?;
            bytes += out.drain(..).map(|piece: Bytes| piece.len()).sum::<usize>();
        }
        relay.finish(&mut out)?;
        Ok(bytes + out.iter().map(Bytes::len).sum::<usize>())
    }
}

fn passage(from: Format, to: Format) -> Passage {
    let envelope = Envelope {
        id: "01bench".to_owned(),
        model: "bench".to_owned(),
        created: 1_700_000_000,
        show_usage: true,
        echo: None,
        cost: Arc::new(|usage| Some(NanoUsd(i64::try_from(usage.output).unwrap_or(0)))),
    };
    let (think, show_reasoning, family, choices) = (None, true, None, 1);
    Passage { from, to, think, show_reasoning, family, choices, base64: false, input_tokens: 100, envelope }
}

/// The events of a stream, those with `repeated` in them so often that there are [`EVENTS`] at least.
fn stretched(stream: &[u8], repeated: &str) -> Result<Vec<Bytes>, Box<dyn Error>> {
    let mut splitter = Events::default();
    splitter.push(Bytes::copy_from_slice(stream));
    let mut events = Vec::new();
    while let Some(event) = splitter.next(stream.len())? {
        events.push(event);
    }
    let is_repeated =
        |event: &Bytes| event.windows(repeated.len()).any(|bytes| bytes == repeated.as_bytes()) && !ends(event);
    let some = events.iter().filter(|event| is_repeated(event)).count();
    if some == 0 {
        return Err(format!("no event has {repeated}").into());
    }
    let times = EVENTS.saturating_sub(events.len() - some).div_ceil(some);
    let stretched = events.into_iter().flat_map(|event| {
        let times = if is_repeated(&event) { times } else { 1 };
        std::iter::repeat_n(event, times)
    });
    Ok(stretched.collect())
}

/// Whether an event says why the answer ended, which is said once.
fn ends(event: &[u8]) -> bool {
    let text = String::from_utf8_lossy(event).replace("\"finish_reason\":null", "").replace(' ', "");
    text.contains("finish_reason\":\"") || text.contains("finishReason") || text.contains("\"stop_reason\":\"")
}

fn show(ways: &[Way]) {
    println!("{:38} {:>6} {:10} {:>9} {:>8} {:>8}", "stream", "events", "to", "ns/event", "ratio", "±");
    for streams in ways.chunks(TARGETS.len()) {
        // Gemini is no client's format: its streams are compared with the first one in Chat Completions.
        let passing = streams.iter().find(|way| way.from == way.to).or_else(|| ways.first());
        let Some(passing) = passing else { continue };
        for way in streams {
            let mut ratios: Vec<f64> =
                way.nanoseconds.iter().zip(&passing.nanoseconds).map(|(one, other)| one / other).collect();
            let mut costs = way.nanoseconds.clone();
            let (ratio, quarters) = (median(&mut ratios), spread(&ratios));
            let (to, count) = (way.to.as_str(), way.pieces.len());
            let cost = median(&mut costs);
            println!("{:38} {count:>6} {to:10} {cost:>9.0} {ratio:>8.2} {quarters:>8.2}", way.name);
        }
    }
}

fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Half the distance between the quartiles of sorted samples.
fn spread(sorted: &[f64]) -> f64 {
    let at = |share: usize| sorted.get(sorted.len() * share / 4).copied().unwrap_or(f64::NAN);
    (at(3) - at(1)) / 2.0
}

/// Time on the CPU of this thread: the first field of its schedstat.
fn cpu_nanoseconds() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}
