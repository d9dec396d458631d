//! The schema of the product.

use super::migration::Migration;

/// Every migration, oldest first.
pub const SCHEMA: &[Migration] = &[
    Migration {
        version: 1,
        min_reader: 1,
        sql: include_str!("../../migrations/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        min_reader: 2,
        sql: include_str!("../../migrations/0002_identity.sql"),
    },
    Migration {
        version: 3,
        min_reader: 2,
        sql: include_str!("../../migrations/0003_open_uploads.sql"),
    },
    Migration {
        version: 4,
        min_reader: 4,
        sql: include_str!("../../migrations/0004_lifecycle.sql"),
    },
    Migration {
        version: 5,
        min_reader: 5,
        sql: include_str!("../../migrations/0005_last_pull.sql"),
    },
    Migration {
        version: 6,
        min_reader: 6,
        sql: include_str!("../../migrations/0006_archive.sql"),
    },
    Migration {
        version: 7,
        min_reader: 7,
        sql: include_str!("../../migrations/0007_image_lease.sql"),
    },
    Migration {
        version: 8,
        min_reader: 7,
        sql: include_str!("../../migrations/0008_operator_tasks.sql"),
    },
    Migration {
        version: 9,
        min_reader: 7,
        sql: include_str!("../../migrations/0009_creation_templates.sql"),
    },
    Migration {
        version: 10,
        min_reader: 10,
        sql: include_str!("../../migrations/0010_public.sql"),
    },
    Migration {
        version: 11,
        min_reader: 11,
        sql: include_str!("../../migrations/0011_repository_copies.sql"),
    },
    Migration {
        version: 12,
        min_reader: 12,
        sql: include_str!("../../migrations/0012_relocation.sql"),
    },
    Migration {
        version: 13,
        min_reader: 13,
        sql: include_str!("../../migrations/0013_lifecycle_actions.sql"),
    },
    Migration {
        version: 14,
        min_reader: 14,
        sql: include_str!("../../migrations/0014_backup.sql"),
    },
];
