//! What a score costs alone: features and forward pass of the built-in classifier on one thread, nothing around them.
//!
//! `score_alone SENTENCES SEED COUNT` scores COUNT prompts of the kind that `chat.lua` sends and prints the CPU
//! microseconds that each took.

use std::error::Error;
use std::time::Duration;

use waypost::chat::{Role, Text};
use waypost::classify::{Classifier, ModelSource, Prompt, Settings};

const SENTENCES_PER_PROMPT: usize = 8;
/// Prompts scored before the clock starts: allocations, page faults, ONNX Runtime's own preparations.
const WARM_UP: usize = 500;

/// The prompts of `chat.lua`.
struct Prompts<'a> {
    sentences: Vec<&'a str>,
    seed: usize,
    count: usize,
}

impl Prompts<'_> {
    fn next(&mut self) -> String {
        let mut drawn = Vec::with_capacity(SENTENCES_PER_PROMPT);
        for _ in 0..SENTENCES_PER_PROMPT {
            self.seed = self.seed * 16_807 % 2_147_483_647;
            drawn.push(self.sentences[self.seed % self.sentences.len()]);
        }
        self.count += 1;
        format!("{} (case {})", drawn.join(" "), self.count)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, seed, count] = arguments.as_slice() else {
        return Err("usage: score_alone SENTENCES SEED COUNT".into());
    };
    let text = std::fs::read_to_string(file)?;
    let mut prompts = Prompts { sentences: text.lines().collect(), seed: seed.parse()?, count: 0 };
    if prompts.sentences.is_empty() {
        return Err("SENTENCES is empty".into());
    }
    let classifier = Classifier::load(&Settings {
        model: ModelSource::Linear,
        runtime: None,
        deadline: Duration::from_secs(1),
        threads: 1,
        queue: 1,
        max_tokens: 512,
    })?;
    for _ in 0..WARM_UP {
        score(&classifier, prompts.next())?;
    }
    // Made beforehand, so that only scoring is timed.
    let prompts: Vec<String> = (0..count.parse()?).map(|_| prompts.next()).collect();
    let scored = prompts.len();
    let before = cpu_nanoseconds()?;
    let mut hard = 0;
    for prompt in prompts {
        hard += usize::from(score(&classifier, prompt)? > 0.5);
    }
    let spent = cpu_nanoseconds()? - before;
    println!("RESULT {{\"prompts\":{scored},\"hard\":{hard},\"cpu_ns\":{spent}}}");
    Ok(())
}

fn score(classifier: &Classifier, prompt: String) -> Result<f32, Box<dyn Error>> {
    let texts = [Text { role: Role::User, text: prompt.to_owned() }];
    Ok(classifier.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 })?.difficulty)
}

/// Time on the CPU of this thread: the first field of its schedstat.
fn cpu_nanoseconds() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}
