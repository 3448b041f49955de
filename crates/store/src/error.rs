//! What a read or write of the store can fail with: stable codes, and texts that say the next step.

/// A failure of the store. Texts never hold a parameter's value, so they may be shown and logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique index was violated; the key is its last column.
    #[error("another row already has this {key}; choose another value or change the existing row")]
    Conflict {
        /// The last column of the unique index, such as `user_name_key`.
        key: String,
    },
    /// A row refers to one that does not exist, or one still referred to was deleted.
    #[error("a row refers to one that does not exist ({detail}); reload and try again")]
    ForeignKey {
        /// The constraint where the database names it.
        detail: String,
    },
    /// A value breaks a rule of its column (CHECK, NOT NULL, a NUL character).
    #[error("a value breaks the rule {rule} of the database; nothing was written")]
    Check {
        /// The constraint or column.
        rule: String,
    },
    /// The disk or the database's size limit is full.
    #[error("the disk of the database is full ({detail}); nothing was written: free space and try again")]
    Full {
        /// The database's own words.
        detail: String,
    },
    /// The database, its folder or the transaction can only be read.
    #[error("the database can only be read ({detail}); check the permissions of the file and its folder")]
    ReadOnly {
        /// The database's own words.
        detail: String,
    },
    /// The file or the connection failed. After a failed commit it is unknown whether the write happened.
    #[error(
        "reading or writing the database failed ({detail}); check the disk or the connection and try again"
    )]
    Io {
        /// The database's own words.
        detail: String,
    },
    /// Others held the database for too long, or kept conflicting with this transaction.
    #[error("the database is busy ({detail}); try again, and look for another process that holds it")]
    Busy {
        /// What was waited for.
        detail: String,
    },
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema {found}, this program knows up to {known}; use the newer program that wrote it"
    )]
    NewerSchema {
        /// The newest migration the database has.
        found: i64,
        /// The newest migration this program has.
        known: i64,
    },
    /// A migration that was applied differs from the one this program has.
    #[error(
        "migration {number} ({name}) was applied with another text; use the program that made this database"
    )]
    ChangedMigration {
        /// Its number, from 1.
        number: i64,
        /// Its name in this program.
        name: String,
    },
    /// The file is damaged or is not a database of this program.
    #[error("{path} is not a database of this program ({reason}); name another file or restore a backup")]
    NotADatabase {
        /// The file, or `database` where the path is not known.
        path: String,
        /// Why.
        reason: String,
    },
    /// The database could not be opened, created or connected to.
    #[error("cannot open the database {path}: {reason}")]
    CannotOpen {
        /// The file, or the server without user and password.
        path: String,
        /// Why, with the next step.
        reason: String,
    },
    /// The transaction's closure panicked; its changes were rolled back.
    #[error("a database job panicked ({message}); its changes were rolled back: please report this as a bug")]
    JobPanicked {
        /// The panic's message.
        message: String,
    },
    /// The store was closed before the job ran.
    #[error("the database is closed; nothing was written: restart the program")]
    Closed,
    /// A row lacks, or does not have the type of, what the program reads from it.
    #[error("{statement} returned an unexpected row ({detail}); please report this as a bug")]
    Row {
        /// The statement's name, or what is made from its row.
        statement: &'static str,
        /// Column, expected and found.
        detail: String,
    },
    /// Anything else the database refused.
    #[error("the database refused a statement ({detail}); please report this as a bug")]
    Other {
        /// The statement's name and the database's own words.
        detail: String,
    },
}

impl StoreError {
    /// A stable name of the kind of failure, for output that programs read.
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::Conflict { .. } => "conflict",
            StoreError::ForeignKey { .. } => "foreign-key",
            StoreError::Check { .. } => "check",
            StoreError::Full { .. } => "disk-full",
            StoreError::ReadOnly { .. } => "read-only",
            StoreError::Io { .. } => "database-io",
            StoreError::Busy { .. } => "database-busy",
            StoreError::NewerSchema { .. } => "newer-schema",
            StoreError::ChangedMigration { .. } => "changed-migration",
            StoreError::NotADatabase { .. } => "not-a-database",
            StoreError::CannotOpen { .. } => "cannot-open",
            StoreError::JobPanicked { .. } => "job-panicked",
            StoreError::Closed => "database-closed",
            StoreError::Row { .. } => "unexpected-row",
            StoreError::Other { .. } => "database-refused",
        }
    }
}

/// An error type that a transaction's closure may return: it can carry a [`StoreError`].
pub trait TxError: From<StoreError> {
    /// The store's own failure, where this error is one.
    fn store_error(&self) -> Option<&StoreError>;
}

impl TxError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}
