//! Turns of accounts, among those of this server that copy at the same time.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use longshore_types::account::AccountId;

/// Who is being served, and when those who wait were served last.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    under_way: HashSet<AccountId>,
    served: HashMap<AccountId, u64>,
    turns: u64,
}

/// The turn of an account, until it is dropped.
#[derive(Debug)]
pub(super) struct Lane<'l> {
    pub(super) account: AccountId,
    lanes: &'l Lanes,
}

impl Lanes {
    /// Gives a turn to that account of `due` that was served longest ago, among those that nobody is serving.
    pub(super) fn take(&self, due: &[AccountId]) -> Option<Lane<'_>> {
        let mut state = self.lock();
        let last = |account: &AccountId| state.served.get(account).copied().unwrap_or(0);
        let free = due
            .iter()
            .filter(|account| !state.under_way.contains(*account));
        let account = *free.min_by_key(|account| last(account))?;
        state.turns += 1;
        let turn = state.turns;
        state.served.retain(|account, _| due.contains(account));
        state.served.insert(account, turn);
        state.under_way.insert(account);
        Some(Lane {
            account,
            lanes: self,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Lane<'_> {
    fn drop(&mut self) {
        self.lanes.lock().under_way.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_take_turns_and_none_has_two_at_once() {
        let accounts: [AccountId; 3] =
            ["111111111111", "222222222222", "333333333333"].map(|id| id.parse().unwrap());
        let [a, b, c] = accounts;
        let lanes = Lanes::default();
        let mut order = Vec::new();
        for _ in 0..6 {
            order.push(lanes.take(&accounts).unwrap().account);
        }
        assert_eq!(order, [a, b, c, a, b, c]);
        // One that takes long holds up itself alone.
        let long = lanes.take(&[a]).unwrap();
        let taken: Vec<_> = (0..4)
            .map(|_| lanes.take(&accounts).unwrap().account)
            .collect();
        assert_eq!(taken, [b, c, b, c]);
        assert!(lanes.take(&[a]).is_none());
        drop(long);
        assert_eq!(lanes.take(&accounts).unwrap().account, a);
    }
}
