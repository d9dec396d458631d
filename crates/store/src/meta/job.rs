//! A closure on its way through an engine: boxed once, run, and answered.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::error::{Error, Result};
use super::tx::Tx;

/// What a closure wants done with its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Undo,
}

/// A closure with the way back to its caller.
pub(super) trait Job: Send {
    /// Runs the closure and holds its result back; a panic is an `Undo`.
    fn run(&mut self, tx: &mut dyn Tx) -> Verdict;

    /// Answers the caller: with what the last run returned, or with the engine's error.
    fn finish(self: Box<Self>, outcome: Result<()>);

    /// Returns whether the caller no longer waits.
    fn is_abandoned(&self) -> bool;
}

/// Makes a job of a closure that may run several times.
pub(super) fn repeatable<T, E, F>(closure: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnMut(&mut dyn Tx) -> Result<T, E> + Send + 'static,
{
    let (reply, receiver) = oneshot::channel();
    (
        Box::new(Call {
            closure,
            result: None,
            reply,
        }),
        receiver,
    )
}

/// Makes a job of a closure that runs once.
pub(super) fn once<T, E, F>(closure: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
    F: FnOnce(&mut dyn Tx) -> Result<T, E> + Send + 'static,
{
    let mut closure = Some(closure);
    repeatable(move |tx: &mut dyn Tx| match closure.take() {
        Some(closure) => closure(tx),
        None => Err(Error::Conflict.into()),
    })
}

struct Call<T, E, F> {
    closure: F,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job for Call<T, E, F>
where
    T: Send,
    E: From<Error> + Send,
    F: FnMut(&mut dyn Tx) -> Result<T, E> + Send,
{
    fn run(&mut self, tx: &mut dyn Tx) -> Verdict {
        let closure = &mut self.closure;
        // Nothing that the closure broke is used again: its writes are undone and its caller gets an error.
        self.result = catch_unwind(AssertUnwindSafe(|| closure(tx))).ok();
        if matches!(self.result, Some(Ok(_))) {
            Verdict::Keep
        } else {
            Verdict::Undo
        }
    }

    fn finish(self: Box<Self>, outcome: Result<()>) {
        let result = match outcome {
            Ok(()) => self.result.unwrap_or_else(|| Err(Error::Panicked.into())),
            Err(error) => Err(error.into()),
        };
        // The caller may have gone away; then nobody wants the answer.
        drop(self.reply.send(result));
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }
}
