//! Renaming, copying and moving a repository: what it takes to be allowed, who is asked for it while it goes on, and how it ends.

mod asker;
mod ending;
mod rights;

pub(crate) use self::{
    asker::Asker,
    ending::{FORGOTTEN, end},
    rights::{Deed, Deeds, needs},
};
