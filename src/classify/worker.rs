//! The threads that run the model, fed by a bounded queue, so that no async worker ever computes a score.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::features::Features;
use super::{ClassifyError, Scorer, Unscored};

/// What comes back: the features, to be used again, and the score.
pub(super) type Reply = (Features, Result<f32, ClassifyError>);
/// A scorer that a thread uses and a measurement may borrow.
pub(super) type SharedScorer = Arc<Mutex<Box<dyn Scorer>>>;

struct Job {
    features: Features,
    reply: oneshot::Sender<Reply>,
}

/// The entrance to the queue. The threads end when it is dropped and the queue is empty.
pub(super) struct Workers {
    queue: SyncSender<Job>,
}

impl Workers {
    /// One thread per scorer; at most `queue` prompts wait.
    pub(super) fn start(scorers: &[SharedScorer], queue: usize) -> Result<Workers, ClassifyError> {
        let (sender, receiver) = sync_channel(queue);
        let receiver = Arc::new(Mutex::new(receiver));
        for scorer in scorers {
            let (scorer, receiver) = (Arc::clone(scorer), Arc::clone(&receiver));
            std::thread::Builder::new()
                .name("classify".to_owned())
                .spawn(move || serve(&scorer, &receiver))
                .map_err(ClassifyError::Thread)?;
        }
        Ok(Workers { queue: sender })
    }

    /// Queues the features. Dropping the receiver is safe: a prompt nobody waits for is skipped.
    pub(super) fn submit(&self, features: Features) -> Result<oneshot::Receiver<Reply>, Unscored> {
        let (reply, answer) = oneshot::channel();
        match self.queue.try_send(Job { features, reply }) {
            Ok(()) => Ok(answer),
            Err(TrySendError::Full(_)) => Err(Unscored::QueueFull),
            Err(TrySendError::Disconnected(_)) => Err(Unscored::Failed),
        }
    }
}

fn serve(scorer: &Mutex<Box<dyn Scorer>>, jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { features, reply }) = job else {
            return;
        };
        if reply.is_closed() {
            continue;
        }
        let score = scorer.lock().unwrap_or_else(PoisonError::into_inner).score(&features);
        // The asker may have gone meanwhile; then nobody needs the score.
        let _ = reply.send((features, score));
    }
}
