//! One connection, driven by the thread that owns it, with the statements it has prepared.

use std::num::NonZeroUsize;
use std::time::Duration;

use lru::LruCache;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls, Row, SimpleQueryMessage, SimpleQueryRow, Statement};

use super::clock::local_millis;
use super::dialect::{Translated, translate};
use super::failure::Failure;
use super::options::Options;
use super::shared::Shared;
use super::value::{fits, type_of};
use crate::meta::error::{Error, Result};
use crate::meta::value::Value;
use crate::soak::Guard;

/// Statements that a connection keeps prepared.
const STATEMENTS: NonZeroUsize = NonZeroUsize::new(256).expect("not zero");
/// How much longer than the server itself a statement is waited for.
const GRACE: Duration = Duration::from_secs(5);
/// The first version that tells a transaction's full id.
const OLDEST: i64 = 130_000;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Reads only, by the server's own word.
    Read,
    /// Reads, locks and writes.
    Write,
}

/// A session with the server. Its runtime runs only while its thread waits for an answer.
pub(super) struct Connection {
    client: Client,
    statements: LruCache<Box<str>, Vec<Statement>>,
    role: Role,
    /// Which run of the server this is: another after a crash, a restart or a failover.
    pub(super) incarnation: String,
    deadline: Duration,
    runtime: Runtime,
}

impl Connection {
    pub(super) fn open(shared: &Shared, role: Role) -> Result<Self, Failure> {
        let options = &shared.options;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Error::engine)?;
        let client = connect(&runtime, options)?;
        let mut connection = Self {
            client,
            statements: LruCache::new(STATEMENTS),
            role,
            incarnation: String::new(),
            deadline: options.statement_timeout + GRACE,
            runtime,
        };
        connection.settle(shared)?;
        Ok(connection)
    }

    /// Sets the session up, and looks at what kind of server this is.
    fn settle(&mut self, shared: &Shared) -> Result<(), Failure> {
        let options = &shared.options;
        let read_only = if self.role == Role::Read { "on" } else { "off" };
        // A database may be set, also later, to acknowledge what is not kept; stronger settings stay.
        let sql = format!(
            "SET statement_timeout TO {}; SET lock_timeout TO {}; \
             SET idle_in_transaction_session_timeout TO {}; \
             SET default_transaction_isolation TO 'read committed'; SET default_transaction_read_only TO {read_only}; \
             SELECT set_config('synchronous_commit', CASE WHEN current_setting('synchronous_commit') IN ('off', 'local') \
             THEN 'on' ELSE current_setting('synchronous_commit') END, false)",
            options.statement_timeout.as_millis(),
            options.lock_timeout.as_millis(),
            options.statement_timeout.as_millis(),
        );
        self.batch(&sql)?;
        if !Guard::ForeignKeys.holds() {
            self.batch("SET session_replication_role TO replica")?;
        }
        let sql = "SELECT current_setting('server_version_num'), current_setting('server_encoding'), \
                   current_setting('fsync'), current_setting('full_page_writes'), pg_is_in_recovery()";
        let row = self.simple_row(sql)?;
        let fact = |idx| row.get(idx).unwrap_or_default();
        let version: i64 = fact(0).parse().unwrap_or(0);
        if version < OLDEST {
            let text = format!("PostgreSQL 13 or later is needed, this is {version}");
            return Err(Error::engine(text).into());
        }
        if fact(1) != "UTF8" {
            let text = format!("the database's encoding is {} instead of UTF8", fact(1));
            return Err(Error::engine(text).into());
        }
        if fact(4) == "t" {
            return Err(Failure::lost("the server is a standby"));
        }
        shared.warn_once(fact(2), fact(3));
        self.look(shared)
    }

    /// Looks at the server's clock, and which run of it this is.
    ///
    /// After a crash a server gives out once more the transaction ids that its log knows nothing of. Processes that live
    /// as long as it does tell a crash apart: those are neither anybody's nor in any database.
    fn look(&mut self, shared: &Shared) -> Result<(), Failure> {
        let sent = local_millis();
        let row = self.simple_row(
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
             concat_ws('/', substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), extract(epoch FROM pg_postmaster_start_time()), \
             (SELECT min(pid) FROM pg_stat_activity WHERE datid IS NULL AND usesysid IS NULL))",
        )?;
        shared.observe(row.get(0), sent);
        row.get(1)
            .unwrap_or_default()
            .clone_into(&mut self.incarnation);
        Ok(())
    }

    /// Returns whether the connection is known to be lost, without asking the server.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Runs statements without arguments.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Failure> {
        self.wait(self.deadline, self.client.batch_execute(sql))
    }

    /// Runs statements that may take as long as they take.
    pub(super) fn batch_patiently(&mut self, sql: &str) -> Result<(), Failure> {
        self.wait(Duration::from_hours(24), self.client.batch_execute(sql))
    }

    /// Runs statements without arguments; returns the first row, as text.
    pub(super) fn simple_row(&mut self, sql: &str) -> Result<SimpleQueryRow, Failure> {
        let messages = self.wait(self.deadline, self.client.simple_query(sql))?;
        let row = messages.into_iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        row.ok_or_else(|| Failure::lost("an answer has no row"))
    }

    /// Runs a statement; returns its rows.
    pub(super) fn query(&mut self, sql: &str, args: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.prepare(sql, args)?;
        let args = references(args);
        self.wait(self.deadline, self.client.query(&statement, &args))
    }

    /// Runs a statement; returns how many rows it changed.
    pub(super) fn execute(&mut self, sql: &str, args: &[Value<'_>]) -> Result<u64, Failure> {
        let statement = self.prepare(sql, args)?;
        let args = references(args);
        self.wait(self.deadline, self.client.execute(&statement, &args))
    }

    /// Statements are known by the text that closures give, so that each is translated once.
    fn prepare(&mut self, sql: &str, args: &[Value<'_>]) -> Result<Statement, Failure> {
        if let Some(known) = self.statements.get(sql) {
            let fitting = |statement: &&Statement| {
                let params = statement.params();
                params.len() == args.len() && params.iter().zip(args).all(|(ty, arg)| fits(arg, ty))
            };
            if let Some(statement) = known.iter().find(fitting) {
                return Ok(statement.clone());
            }
        }
        let Translated { text, n_args } = translate(sql, self.role == Role::Write);
        if n_args != args.len() {
            let text = format!("statement takes {n_args} arguments, {} given", args.len());
            return Err(Error::engine(text).into());
        }
        let types: Vec<Type> = args.iter().map(type_of).collect();
        let statement = self.wait(self.deadline, self.client.prepare_typed(&text, &types))?;
        let known = self
            .statements
            .get_or_insert_mut(Box::from(sql), Vec::default);
        known.push(statement.clone());
        Ok(statement)
    }

    fn wait<T>(
        &self,
        deadline: Duration,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let answer = async { tokio::time::timeout(deadline, answer).await };
        match self.runtime.block_on(answer) {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::lost("the server does not answer")),
        }
    }
}

fn references<'a>(args: &'a [Value<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    args.iter().map(|arg| arg as &(dyn ToSql + Sync)).collect()
}

fn connect(runtime: &Runtime, options: &Options) -> Result<Client, Failure> {
    let _inside = runtime.enter();
    let connecting = async {
        match &options.tls {
            None => {
                let (client, connection) = options.config.connect(NoTls).await?;
                drop(tokio::spawn(connection));
                Ok::<_, tokio_postgres::Error>(client)
            }
            Some(tls) => {
                let (client, connection) = options.config.connect(tls.clone()).await?;
                drop(tokio::spawn(connection));
                Ok(client)
            }
        }
    };
    let deadline = options.config.get_connect_timeout().copied();
    // Several addresses may be tried, each so long.
    let deadline = deadline.unwrap_or(GRACE) * 4;
    let connecting = async { tokio::time::timeout(deadline, connecting).await };
    match runtime.block_on(connecting) {
        Ok(connected) => connected.map_err(|error| refused(&error)),
        Err(_) => Err(Failure::lost("the server cannot be reached")),
    }
}

/// The reason is in the error's source.
fn refused(error: &tokio_postgres::Error) -> Failure {
    let reason = std::error::Error::source(error).map(ToString::to_string);
    let reason = reason.unwrap_or_else(|| error.to_string());
    tracing::warn!(reason, "no connection to PostgreSQL");
    Failure::lost(reason)
}
