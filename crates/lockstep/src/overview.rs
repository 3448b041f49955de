//! The overview that `lockstep --help` prints: commands grouped by what one wants to do, and the exit codes.

/// Layout of the top-level help.
pub(crate) const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}Options for every command:\n{options}\n\n{after-help}";

/// The commands by job. A test holds that every command is named here.
pub(crate) const COMMANDS: &str = "\
Start here
  demo            Everything at once: a directory, a simulated app, a sync, and three repairs
  simulate-app    Run a SCIM app with the faults of real ones, to try things out

Directory
  tenant          Create, list and show tenants; limit their active users
  directory       Load users, groups and members from CSV or JSON Lines; take a load back
  user            Show, add, edit, deactivate, reactivate, delete, restore, merge users
  group           Show, add, edit, delete, restore groups; add and remove members
  schema          Own attributes of users and groups

Identity providers that push in
  connection      Connect Okta, Entra, OneLogin, JumpCloud or another; its policies
  token           Make, list, rotate and revoke the tokens of identity providers and apps
  serve           Serve the SCIM endpoint that they push to
  signin          First login: who would sign in with an assertion, and why

Apps
  app             Connect an app; its switches, mapping, scope, assignments; activate, compare

Push groups
  push-group      Mirror groups of the directory in an app

Synchronise
  plan            Show what would be sent, and approve what the guard holds
  sync            Send what is due until nothing is ready (--wait: until nothing waits)
  provision       One user or group now, step by step

Explain
  why             Why does this user (not) have this account or membership?
  tasks           Open problems, each with its cause and the next step
  retry           Try again what is parked

Logs
  log             The SCIM log, the audit log, and the check of its chain

Operate
  webhook         Tell an app at once who was deactivated or deleted, so that it ends sessions
  status          Where everything stands
  completion      Shell completion

`lockstep COMMAND --help` shows an example of each.
";

/// Exit codes, below the options.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  an error; nothing was changed unless the message says so
  2  the command line is wrong
  3  done as far as possible; something waits for a time and goes on by itself (sync without --wait)
  4  something needs a person: see lockstep tasks and lockstep plan
  5  another process is at it; try again";
