//! What a score costs alone on one thread, nothing around it.
//!
//! `score_alone SENTENCES SEED COUNT` runs the linear head on COUNT prompts of the kind that `chat.lua` sends,
//! `score_alone network PROMPTS` both stages on the lines of a file; the second half, or all but the first 500, is timed.

use std::error::Error;

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
    let (model, prompts) = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["network", file] => {
            (ModelSource::Embedded, std::fs::read_to_string(file)?.lines().map(str::to_owned).collect::<Vec<_>>())
        }
        [file, seed, count] => {
            let text = std::fs::read_to_string(file)?;
            let mut prompts = Prompts { sentences: text.lines().collect(), seed: seed.parse()?, count: 0 };
            if prompts.sentences.is_empty() {
                return Err("SENTENCES is empty".into());
            }
            let count = count.parse::<usize>()? + WARM_UP;
            (ModelSource::Linear, (0..count).map(|_| prompts.next()).collect())
        }
        _ => return Err("usage: score_alone SENTENCES SEED COUNT, or score_alone network PROMPTS".into()),
    };
    let classifier = Classifier::load(&Settings::alone(model))?;
    let (warm_up, timed) = prompts.split_at(WARM_UP.min(prompts.len() / 2));
    for prompt in warm_up {
        score(&classifier, prompt)?;
    }
    let before = cpu_nanoseconds()?;
    let mut hard = 0;
    for prompt in timed {
        hard += usize::from(score(&classifier, prompt)? > 0.5);
    }
    let spent = cpu_nanoseconds()? - before;
    println!("RESULT {{\"prompts\":{},\"hard\":{hard},\"cpu_ns\":{spent}}}", timed.len());
    Ok(())
}

fn score(classifier: &Classifier, prompt: &str) -> Result<f32, Box<dyn Error>> {
    let texts = [Text { role: Role::User, text: prompt.to_owned() }];
    Ok(classifier.score_blocking(&Prompt { texts: &texts, tools: 0, images: 0 })?.difficulty)
}

/// Time on the CPU of this thread: the first field of its schedstat.
fn cpu_nanoseconds() -> Result<u64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("schedstat is empty")?.parse()?)
}
