//! Loading users, groups and members from files, as a whole or not at all.
//!
//! Everything is read, checked, compared with the directory and guarded before the first change; then the changes are
//! staged as a job and applied in short transactions, so that a crash at any point is resumed. A load adds and changes
//! only. A column or field that a file does not have never changes a stored value; an empty cell (or JSON null) clears the
//! attribute, except `active`, which stays as it is. A row means the stored user of its externalId, else the one of its
//! userName (unless that one has another externalId); for groups externalId, else displayName. Loading the same files
//! again changes nothing.

mod columns;
mod compare;
mod csv;
mod documents;
mod job;
mod members;
mod plan;
mod preset;
mod preset_tables;
mod problem;
mod table;
mod undo;
mod undo_plan;

use std::sync::Arc;

use domain::ids::{JobId, TenantId};
use store::repo::resource::Kind;

use crate::confirmations::confirm;
use crate::directory::Applied;
use crate::schemas::ResourceTypes;
use crate::{Engine, EngineError};
use columns::Columns;
use plan::Plan;
use problem::Problems;
use table::{Pairs, Table};

pub use documents::{Documents, documents};
pub use job::{Resumed, resume};
pub use preset::Preset;
pub use undo::{UndoPreview, UndoReport, UndoRequest, list_loads, undo};

/// What to load. At least one file.
#[derive(Clone, Debug, Default)]
pub struct LoadRequest {
    /// Users.
    pub users: Option<LoadFile>,
    /// Groups.
    pub groups: Option<LoadFile>,
    /// Members: columns or fields `group` and `member`, each an externalId, else a displayName or userName.
    pub members: Option<LoadFile>,
    /// Columns that are not named by a SCIM path: (column, path). An empty path leaves the column out.
    pub map: Vec<(String, String)>,
    /// How the users file is read, if it is a well-known export. `map` goes before it.
    pub preset: Option<&'static Preset>,
    /// Who owns the users and groups that are created. Empty: the preset's name, else `file`.
    pub source: String,
    /// Deactivates active users of this source that the users file lacks.
    pub complete: bool,
    /// Reads, checks and compares only.
    pub dry_run: bool,
    /// How many deactivations are meant, exactly, if the guard would hold them.
    pub allow_deactivations: Option<usize>,
}

/// One file, read by the caller.
#[derive(Clone, Debug)]
pub struct LoadFile {
    /// For messages; its ending tells the format.
    pub name: String,
    /// The content.
    pub bytes: Vec<u8>,
    /// The format, if the ending does not tell it.
    pub format: Option<Format>,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180: a header line, commas, double quotes; UTF-8.
    Csv,
    /// One JSON object a line; UTF-8.
    JsonLines,
}

/// What a load will do, counted before it does it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// Users in the file, and those that `complete` deactivates.
    pub users: Counts,
    /// Groups in the file.
    pub groups: Counts,
    /// Memberships to add.
    pub members_add: usize,
    /// Memberships that are there already.
    pub members_unchanged: usize,
}

/// Counts of one kind of object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// New ones.
    pub create: usize,
    /// Changed ones; those that are deactivated are counted there.
    pub update: usize,
    /// Ones that are as the file says.
    pub unchanged: usize,
    /// Users that are active and will not be.
    pub deactivate: usize,
}

/// What a load did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// What the comparison found.
    pub preview: Preview,
    /// What was applied; nothing for a dry run.
    pub applied: Applied,
    /// Changes that were left out because the directory changed meanwhile, each with its reason. Empty as a rule.
    pub refused: Vec<String>,
    /// An earlier load that had been interrupted and was finished first.
    pub resumed: Option<Resumed>,
    /// Columns of the users file that the preset does not know; they were not read.
    pub ignored: Vec<String>,
    /// The job that applied it, for `undo`; none if there was nothing to do.
    pub job: Option<JobId>,
    /// Dry run only: why the guard would hold this load.
    pub held: Option<String>,
}

/// Shows how far a load is: changes applied, changes in all.
pub type Progress<'a> = &'a mut (dyn FnMut(usize, usize) + Send);

impl LoadFile {
    /// A file whose name tells its format.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), format: None }
    }

    fn format(&self) -> Option<Format> {
        let name = self.name.to_ascii_lowercase();
        let by_name = match name.rsplit('.').next() {
            Some("csv") => Some(Format::Csv),
            Some("jsonl" | "ndjson") => Some(Format::JsonLines),
            _ => None,
        };
        self.format.or(by_name)
    }
}

/// Loads files into the directory. Bad input is [`EngineError::Invalid`] with up to 20 problems, each with file, line,
/// rule and next step; too many deactivations are [`EngineError::Held`]; after both nothing is changed.
pub async fn load(
    engine: &Engine,
    tenant: &TenantId,
    request: LoadRequest,
    progress: Progress<'_>,
) -> Result<LoadReport, EngineError> {
    let label = label(&request);
    let input = Arc::new(Input::read(request, engine.types(tenant).await?)?);
    let ignored = input.users.as_ref().map(|table| table.ignored.clone()).unwrap_or_default();
    let mut report = LoadReport { ignored, ..LoadReport::default() };
    if !input.dry_run {
        report.resumed = resume(engine, tenant).await?;
    }
    let plan = compare(engine, tenant, input.clone()).await?;
    report.preview = plan.preview;
    report.held = plan.held(input.allow_deactivations);
    if input.dry_run {
        return Ok(report);
    }
    if let Some(held) = report.held {
        return Err(EngineError::Held(held));
    }
    if !plan.rows.is_empty() {
        let job = job::stage(engine, tenant, &input.source, &label, plan.rows).await?;
        let done = job::apply_job(engine, tenant, &job, progress).await?;
        report.job = Some(job);
        report.applied = done.applied;
        report.refused = done.refused;
    }
    // The file is the source's word on these users, also where nothing changed. The load is done in any case: if this fails,
    // the next one says it again.
    let _ = confirm(engine, tenant, &input.source, plan.named).await;
    Ok(report)
}

/// The files, read and checked as far as that goes without the directory.
struct Input {
    types: Arc<ResourceTypes>,
    users: Option<Table>,
    groups: Option<Table>,
    members: Option<Pairs>,
    source: String,
    complete: bool,
    dry_run: bool,
    allow_deactivations: Option<usize>,
}

impl Input {
    fn read(request: LoadRequest, types: Arc<ResourceTypes>) -> Result<Self, EngineError> {
        if request.users.is_none() && request.groups.is_none() && request.members.is_none() {
            return Err(EngineError::Invalid(
                "there is nothing to load; name a users, groups or members file".into(),
            ));
        }
        if request.complete && request.users.is_none() {
            return Err(EngineError::Invalid(
                "a complete load needs a users file; name one, or leave out --complete".into(),
            ));
        }
        let mut problems = Problems::default();
        let map = &request.map;
        let preset = request.preset;
        let mut table = |file: Option<&LoadFile>, of: Kind, columns: Columns<'_>| {
            file.map(|file| Table::read(file, types.of(of), &columns, &mut problems))
        };
        let users = table(request.users.as_ref(), Kind::User, Columns { key: "userName", map, preset });
        let columns = Columns { key: "displayName", map, preset: None };
        let groups = table(request.groups.as_ref(), Kind::Group, columns);
        let members = request.members.as_ref().map(|file| Pairs::read(file, map, &mut problems));
        let known = |column: &String| {
            let tables = users.iter().chain(&groups).any(|table| table.has_header(column));
            tables || members.as_ref().is_some_and(|pairs| pairs.has_header(column))
        };
        // A broken file has told what is wrong with it: its columns may not be known at all.
        if problems.is_empty() {
            for (column, _) in request.map.iter().filter(|(column, _)| !known(column)) {
                problems.add(
                    "--map",
                    &format!("no file has a column '{column}'"),
                    "use a column's name as the file has it",
                );
            }
        }
        problems.check()?;
        let named = Some(request.source).filter(|source| !source.is_empty());
        let source = named.unwrap_or_else(|| preset.map_or("file", |preset| preset.name).to_owned());
        Ok(Self {
            types,
            users,
            groups,
            members,
            source,
            complete: request.complete,
            dry_run: request.dry_run,
            allow_deactivations: request.allow_deactivations,
        })
    }
}

async fn compare(engine: &Engine, tenant: &TenantId, input: Arc<Input>) -> Result<Plan, EngineError> {
    let ids = engine.context(tenant).ids;
    let tenant = tenant.clone();
    engine.read(move |tx| Plan::make(tx, &tenant, &input, &mut ids.clone())).await
}

fn label(request: &LoadRequest) -> String {
    let files = [&request.users, &request.groups, &request.members];
    let names: Vec<&str> = files.into_iter().flatten().map(|file| file.name.as_str()).collect();
    names.join(", ")
}
