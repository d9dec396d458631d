//! The gate between jobs and a checkpoint that needs the store for itself.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Jobs pass it one by one; a pause waits for those inside and holds up the rest.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    inside: usize,
    paused: bool,
}

impl Gate {
    /// Waits while the gate is paused and goes in.
    pub(super) fn enter(&self) -> Pass<'_> {
        let mut state = self.lock();
        while state.paused {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.inside += 1;
        Pass(self)
    }

    /// Closes the gate and waits for those inside; gives up, and opens it again, after `limit`.
    pub(super) fn pause(&self, limit: Duration) -> Option<Pause<'_>> {
        let mut state = self.lock();
        while state.paused {
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.paused = true;
        let waited = self
            .changed
            .wait_timeout_while(state, limit, |state| state.inside > 0);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let empty = state.inside == 0;
        drop(state);
        let pause = Pause(self);
        empty.then_some(pause)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use the store.
#[derive(Debug)]
pub(super) struct Pass<'g>(&'g Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.inside -= 1;
        if state.paused {
            self.0.changed.notify_all();
        }
    }
}

/// The store for oneself.
#[derive(Debug)]
pub(super) struct Pause<'g>(&'g Gate);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.0.lock().paused = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_gives_up_while_somebody_is_inside() {
        let gate = Gate::default();
        let pass = gate.enter();
        assert!(gate.pause(Duration::from_millis(5)).is_none());
        drop(pass);
        assert!(gate.pause(Duration::from_millis(5)).is_some());
        drop(gate.enter());
    }

    #[test]
    fn nobody_goes_in_during_a_pause() {
        let gate = Gate::default();
        let pause = gate.pause(Duration::ZERO).unwrap();
        std::thread::scope(|scope| {
            let (entered, wait_entered) = std::sync::mpsc::channel();
            let gate = &gate;
            scope.spawn(move || {
                let _pass = gate.enter();
                entered.send(()).unwrap();
            });
            wait_entered
                .recv_timeout(Duration::from_millis(30))
                .unwrap_err();
            drop(pause);
            wait_entered.recv_timeout(Duration::from_secs(30)).unwrap();
        });
    }
}
