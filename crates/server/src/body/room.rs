//! Room for what comes in before it is known what it is good for: bounded for all together, and so shared out that whoever
//! fills their part holds up nobody else, and whoever has proven nothing nobody but their like.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use longshore_registry::{Error, principal::Known};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use self::line::{Given, Line, Part, Wanted};

mod line;

/// How many senders' parts are remembered, at least, before those that nobody holds are looked for.
const REMEMBERED: usize = 1024;

/// Who sends what must be read before it is known what it is good for, or who gets an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    /// Somebody who was right lately, from where they are; or of whom nothing has to be checked any more.
    Proven {
        /// The account.
        account: String,
        /// The principal's id.
        principal: String,
    },
    /// It may be anybody of a network, such as somebody who has heard of an access key's id.
    Unproven(IpAddr),
}

impl Sender {
    /// A principal who has proven to be it.
    pub(crate) fn proven(known: &Known) -> Self {
        Self::Proven {
            account: known.account.to_string(),
            principal: known.id.clone(),
        }
    }

    /// Whoever is there.
    pub(crate) fn unproven(client: IpAddr) -> Self {
        Self::Unproven(site(client))
    }

    /// The parts of the room that are theirs, the narrowest first, and how large they are.
    fn parts(&self, shares: Shares) -> [(Whose, usize); 2] {
        match self {
            Self::Proven { account, principal } => [
                (Whose::Principal(principal.clone()), shares.principal),
                (Whose::Account(account.clone()), shares.account),
            ],
            Self::Unproven(network) => [
                (Whose::Network(*network), shares.network),
                (Whose::Unproven, shares.unproven),
            ],
        }
    }
}

/// Where a client is. One site may have 2^16 of the networks that IPv6 routes, so all of those are one here.
pub(crate) fn site(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 80 << 80).into()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Whose part of the room. A root user's id is its account's.
#[derive(PartialEq, Eq, Hash)]
enum Whose {
    Account(String),
    Principal(String),
    Network(IpAddr),
    Unproven,
}

/// How much there is, and who may have how much of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// All of it.
    pub(crate) all: usize,
    /// What one account may have.
    pub(crate) account: usize,
    /// What one principal may have.
    pub(crate) principal: usize,
    /// What all those who have proven nothing may have together.
    pub(crate) unproven: usize,
    /// What those of them may have who are in one network.
    pub(crate) network: usize,
}

impl Shares {
    /// `all`, of which one network has an eighth, whoever is there.
    pub(crate) fn of_networks(all: usize) -> Self {
        Self {
            all,
            account: 0,
            principal: 0,
            unproven: all,
            network: (all / 8).max(1),
        }
    }
}

/// A bounded amount, shared out among senders.
#[derive(Clone)]
pub(crate) struct Room(Arc<Inner>);

struct Inner {
    shares: Shares,
    free: Arc<Semaphore>,
    parts: Mutex<Parts>,
    line: Line,
    wait: Duration,
}

/// Parts of senders, for as long as somebody holds or awaits some of them.
struct Parts {
    known: HashMap<Whose, Weak<Part>>,
    /// How many there are when those are looked for that nobody holds.
    most: usize,
}

impl Room {
    /// Whoever finds it taken waits for `wait`.
    pub(crate) fn new(shares: Shares, wait: Duration) -> Self {
        let free = Arc::new(Semaphore::new(shares.all));
        Self(Arc::new(Inner {
            shares,
            line: Line::new(free.clone()),
            free,
            parts: Mutex::new(Parts {
                known: HashMap::new(),
                most: REMEMBERED,
            }),
            wait,
        }))
    }

    /// How much is free.
    pub(crate) fn free(&self) -> usize {
        self.0.free.available_permits()
    }

    /// Lets a sender in who announces so much: it waits for so much of its own parts, where it stands in nobody's way. Fails
    /// with [`Error::Throttled`] when it is not free in time.
    pub(crate) async fn enter(&self, announced: usize, sender: &Sender) -> Result<Taken, Error> {
        let shares = self.0.shares;
        let announced = match sender {
            Sender::Proven { .. } => announced.min(shares.principal),
            // What they announce is worth nothing: they wait for what comes.
            Sender::Unproven(_) => 0,
        };
        let mut taken = Taken {
            room: self.clone(),
            parts: Vec::new(),
            of_all: None,
            announced,
        };
        for (whose, size) in sender.parts(shares) {
            let part = self.0.part(whose, size);
            let permit = self.acquire(&part.size, announced).await?;
            taken.parts.push((part, permit));
        }
        Ok(taken)
    }

    /// Takes so much at once, if it is free; what is larger than a part needs all of that part.
    pub(crate) fn try_take(&self, amount: usize, sender: &Sender) -> Option<Taken> {
        let take = |semaphore: &Arc<Semaphore>, amount: usize| {
            let amount = u32::try_from(amount).ok()?;
            semaphore.clone().try_acquire_many_owned(amount).ok()
        };
        let mut taken = Taken {
            room: self.clone(),
            parts: Vec::new(),
            of_all: None,
            announced: 0,
        };
        for (whose, size) in sender.parts(self.0.shares) {
            let part = self.0.part(whose, size);
            let permit = take(&part.size, amount.min(size))?;
            taken.parts.push((part, permit));
        }
        let permit = take(&self.0.free, amount)?;
        let (widest, _) = taken.parts.last()?;
        taken.of_all = Some(Given::new(permit, widest.clone()));
        Some(taken)
    }

    async fn acquire(
        &self,
        semaphore: &Arc<Semaphore>,
        amount: usize,
    ) -> Result<OwnedSemaphorePermit, Error> {
        let amount = u32::try_from(amount).map_err(Error::internal)?;
        let acquired = semaphore.clone().acquire_many_owned(amount);
        match timeout(self.0.wait, acquired).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(Error::Throttled(Duration::from_secs(1))),
        }
    }
}

impl Inner {
    fn part(&self, whose: Whose, size: usize) -> Arc<Part> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(part) = parts.known.get(&whose).and_then(Weak::upgrade) {
            return part;
        }
        if parts.known.len() >= parts.most {
            parts.known.retain(|_, part| part.strong_count() > 0);
            // However many are held, looking for the others costs each newcomer little.
            parts.most = REMEMBERED.max(2 * parts.known.len());
        }
        let part = Arc::new(Part::new(size));
        parts.known.insert(whose, Arc::downgrade(&part));
        part
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Room({} free)", self.free())
    }
}

/// Some of the room, which is free again when this goes.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Room,
    /// Of the sender's parts.
    parts: Vec<(Arc<Part>, OwnedSemaphorePermit)>,
    of_all: Option<Given>,
    /// How much of what was announced has not come yet.
    announced: usize,
}

impl Taken {
    /// Takes so much more of it; fails with [`Error::Throttled`] when it is not free in time. With the first of it, all that
    /// was announced is taken: whoever holds some would otherwise wait for others who hold some and wait.
    pub(crate) async fn grow(&mut self, amount: usize) -> Result<(), Error> {
        let room = &self.room;
        let more = amount.saturating_sub(self.announced);
        if more > 0 {
            for (part, permit) in &mut self.parts {
                permit.merge(room.acquire(&part.size, more).await?);
            }
        }
        let of_all = match self.of_all {
            Some(_) => more,
            None => amount.max(self.announced),
        };
        if of_all > 0
            && let Some((part, _)) = self.parts.last()
        {
            let wanted = Wanted {
                part: part.clone(),
                amount: u32::try_from(of_all).map_err(Error::internal)?,
                is_more: self.of_all.is_some(),
            };
            let given = timeout(room.0.wait, room.0.line.wait(wanted)).await;
            let given = given.map_err(|_| Error::Throttled(Duration::from_secs(1)))?;
            match &mut self.of_all {
                Some(held) => held.merge(given),
                None => self.of_all = Some(given),
            }
        }
        self.announced = self.announced.saturating_sub(amount);
        Ok(())
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of_all = None;
        self.parts.clear();
        self.room.0.line.serve();
    }
}

#[cfg(test)]
mod tests {
    use tokio::task::JoinHandle;

    use super::*;

    const SHARES: Shares = Shares {
        all: 10,
        account: 6,
        principal: 4,
        unproven: 4,
        network: 3,
    };

    fn room() -> Room {
        Room::new(SHARES, Duration::from_millis(10))
    }

    fn from(last: u8) -> Sender {
        Sender::unproven([192, 0, 2, last].into())
    }

    fn sender(account: &str, principal: &str) -> Sender {
        Sender::Proven {
            account: account.to_owned(),
            principal: principal.to_owned(),
        }
    }

    async fn take(room: &Room, amount: usize, sender: &Sender) -> Result<Taken, Error> {
        let mut taken = room.enter(amount, sender).await?;
        taken.grow(amount).await?;
        Ok(taken)
    }

    /// All that those who have proven nothing may have.
    async fn strangers(room: &Room) -> [Taken; 2] {
        [
            take(room, 3, &from(1)).await.unwrap(),
            take(room, 1, &from(2)).await.unwrap(),
        ]
    }

    #[tokio::test]
    async fn one_network_leaves_room_to_others() {
        let room = room();
        let _held = take(&room, 3, &from(1)).await.unwrap();
        assert!(take(&room, 1, &from(1)).await.is_err());
        take(&room, 1, &from(2)).await.unwrap();
        let site = |text: &str| Sender::unproven(text.parse().unwrap());
        assert_eq!(site("2001:db8:1:1::1"), site("2001:db8:1:ffff::2"));
        assert_ne!(site("2001:db8:1::1"), site("2001:db8:2::1"));
    }

    #[tokio::test]
    async fn whoever_holds_some_does_not_wait_for_others_who_do() {
        let room = room();
        let senders = [sender("1", "a"), sender("2", "b"), sender("3", "c")];
        let mut bodies = Vec::new();
        for sender in &senders {
            bodies.push(room.enter(4, sender).await.unwrap());
        }
        // There is room for two of three, so the third holds nothing, and the others can end.
        let begun = futures_util::future::join_all(bodies.iter_mut().map(|body| body.grow(1)));
        let begun: Vec<_> = begun.await.into_iter().map(|grown| grown.is_ok()).collect();
        assert_eq!(begun, [true, true, false]);
        for body in &mut bodies[..2] {
            body.grow(3).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_announces_nothing_takes_what_comes() {
        let room = room();
        let mut bodies = Vec::new();
        for _ in 0..2 {
            let mut body = room.enter(0, &sender("1", "a")).await.unwrap();
            body.grow(2).await.unwrap();
            bodies.push(body);
        }
        assert!(bodies[0].grow(1).await.is_err());
    }

    #[tokio::test]
    async fn what_is_taken_at_once_is_free_or_refused() {
        let room = room();
        let taken = room.try_take(3, &from(1)).unwrap();
        assert!(room.try_take(1, &from(1)).is_none());
        assert!(room.try_take(1, &from(2)).is_some());
        drop(taken);
        // It may be larger than any part if that is free, and never larger than all.
        let large = room.try_take(9, &sender("1", "a")).unwrap();
        assert!(room.try_take(1, &sender("1", "a")).is_none());
        assert!(room.try_take(1, &sender("2", "b")).is_some());
        drop(large);
        assert!(room.try_take(11, &sender("1", "a")).is_none());
        assert_eq!(room.free(), 10);
    }

    #[tokio::test]
    async fn what_is_taken_is_free_again_when_it_goes() {
        let room = room();
        let mut taken = take(&room, 2, &from(1)).await.unwrap();
        taken.grow(1).await.unwrap();
        assert_eq!(room.free(), 7);
        let refused = take(&room, 1, &from(1)).await;
        assert!(matches!(refused, Err(Error::Throttled(_))));
        drop(taken);
        assert_eq!(room.free(), 10);
        take(&room, 3, &from(1)).await.unwrap();
    }

    #[tokio::test]
    async fn the_unproven_leave_room_to_the_proven_and_not_the_other_way_round() {
        let room = room();
        let held = strangers(&room).await;
        let a = take(&room, 4, &sender("1", "a")).await.unwrap();
        let b = take(&room, 2, &sender("2", "b")).await.unwrap();
        drop(held);
        let c = take(&room, 4, &sender("3", "c")).await.unwrap();
        assert!(take(&room, 1, &from(1)).await.is_err());
        drop((a, b, c));
        // Those who waited in vain have left nothing behind.
        strangers(&room).await;
    }

    #[tokio::test]
    async fn a_principal_leaves_room_to_its_account_and_that_to_others() {
        let room = room();
        let _first = take(&room, 4, &sender("1", "a")).await.unwrap();
        assert!(take(&room, 1, &sender("1", "a")).await.is_err());
        let _second = take(&room, 2, &sender("1", "b")).await.unwrap();
        assert!(take(&room, 1, &sender("1", "c")).await.is_err());
        take(&room, 4, &sender("2", "d")).await.unwrap();
    }

    #[tokio::test]
    async fn the_more_accounts_there_are_the_less_each_may_have() {
        let shares = Shares {
            all: 64,
            account: 32,
            principal: 32,
            ..SHARES
        };
        let room = Room::new(shares, Duration::from_millis(10));
        let mut held = Vec::new();
        let mut had = Vec::new();
        for account in ["1", "2", "3", "4"] {
            let before = held.len();
            while let Ok(taken) = take(&room, 1, &sender(account, account)).await {
                held.push(taken);
            }
            had.push(held.len() - before);
        }
        assert_eq!(had, [32, 16, 8, 4]);
        assert!(take(&room, 1, &sender("5", "5")).await.is_ok());
        // Who waits for a part that another account fills goes on as soon as that gives some back.
        let waiting = Room::new(shares, Duration::from_mins(1));
        let mut all: Vec<_> = Vec::new();
        for account in ["1", "2"] {
            all.push(take(&waiting, 32, &sender(account, account)).await.unwrap());
        }
        let third = sender("3", "3");
        let (third, ()) = tokio::join!(take(&waiting, 8, &third), async {
            tokio::task::yield_now().await;
            all.pop();
        });
        third.unwrap();
    }

    /// Begins to take something that is not free.
    async fn wait(room: &Room, amount: usize, sender: Sender) -> JoinHandle<Taken> {
        let room = room.clone();
        let taken = tokio::spawn(async move { take(&room, amount, &sender).await.unwrap() });
        // One step takes it as far as it can come.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        assert!(!taken.is_finished());
        taken
    }

    #[tokio::test]
    async fn nobody_who_comes_later_overtakes_who_waits_for_much() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let first = take(&room, 4, &sender("1", "a")).await.unwrap();
        let second = take(&room, 4, &sender("2", "b")).await.unwrap();
        let much = wait(&room, 4, sender("3", "c")).await;
        let little = wait(&room, 1, sender("4", "d")).await;
        // Who gives up holds up nobody.
        much.abort();
        little.await.unwrap();
        let much = wait(&room, 4, sender("3", "c")).await;
        let little = wait(&room, 1, sender("4", "d")).await;
        drop(first);
        let (much, little) = (much.await.unwrap(), little.await.unwrap());
        drop((second, much, little));
        assert_eq!(room.free(), 10);
    }

    #[tokio::test]
    async fn those_of_one_account_who_wait_hold_nothing_yet() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let first = take(&room, 4, &sender("1", "a")).await.unwrap();
        let _second = take(&room, 4, &sender("2", "b")).await.unwrap();
        let one = wait(&room, 3, sender("3", "c")).await;
        let other = wait(&room, 3, sender("3", "d")).await;
        // Nor are they overtaken by little for that.
        let little = wait(&room, 1, sender("4", "e")).await;
        drop(first);
        let (one, little) = (one.await.unwrap(), little.await.unwrap());
        assert!(!other.is_finished());
        drop(one);
        other.await.unwrap();
        drop(little);
    }

    #[tokio::test]
    async fn who_waits_for_much_holds_up_nobody_who_has_some() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let mut begun = room.enter(0, &sender("1", "a")).await.unwrap();
        begun.grow(1).await.unwrap();
        let other = take(&room, 4, &sender("2", "b")).await.unwrap();
        let third = take(&room, 3, &sender("3", "c")).await.unwrap();
        let much = wait(&room, 4, sender("4", "d")).await;
        begun.grow(1).await.unwrap();
        drop((begun, other, third));
        much.await.unwrap();
    }

    #[tokio::test]
    async fn who_holds_as_much_as_is_left_is_passed_by() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let first = take(&room, 4, &sender("1", "a")).await.unwrap();
        let _second = take(&room, 4, &sender("2", "b")).await.unwrap();
        let more = wait(&room, 1, sender("1", "e")).await;
        take(&room, 2, &sender("3", "c")).await.unwrap();
        drop(first);
        more.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_announced_is_taken_from_nobody_else() {
        let room = room();
        let _announced = room.enter(4, &sender("1", "a")).await.unwrap();
        assert_eq!(room.free(), 10);
        assert!(room.enter(1, &sender("1", "a")).await.is_err());
    }

    #[tokio::test]
    async fn the_unproven_who_wait_stand_in_nobodys_way() {
        let room = Room::new(SHARES, Duration::from_mins(1));
        let _held = strangers(&room).await;
        let waiting = room.clone();
        let waiting = tokio::spawn(async move { take(&waiting, 3, &from(3)).await });
        tokio::task::yield_now().await;
        take(&room, 4, &sender("1", "a")).await.unwrap();
        waiting.abort();
    }

    #[tokio::test]
    async fn parts_that_nobody_holds_are_forgotten() {
        let room = room();
        for at in 0..3 * REMEMBERED {
            let sender = sender("1", &at.to_string());
            take(&room, 1, &sender).await.unwrap();
        }
        assert!(room.0.parts.lock().unwrap().known.len() <= REMEMBERED + 1);
    }
}
