//! The same commands on PostgreSQL: no file beside the database, so the key is given.

use store::Location;

use crate::bench::{Folder, Said, Simulated, said, small_directory};

struct OnPostgres {
    folder: Folder,
    url: String,
}

impl OnPostgres {
    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = self.folder.command();
        command.env("LOCKSTEP_DATABASE", &self.url).env("LOCKSTEP_KEY", "ab".repeat(32));
        said(command.args(arguments))
    }

    #[track_caller]
    fn ok(&self, arguments: &[&str]) -> Said {
        self.run(arguments).ends(0)
    }
}

#[test]
fn a_directory_reaches_an_app_on_postgres() {
    let Location::Postgres(url) = store::testing::postgres() else {
        panic!("a PostgreSQL database is expected")
    };
    let app = Simulated::start();
    let lockstep = OnPostgres { folder: small_directory(), url };
    lockstep.ok(&["tenant", "create", "acme"]);
    lockstep.ok(&["directory", "load", "users.csv", "--groups", "groups.csv", "--members", "members.csv"]);
    let add =
        ["app", "add", "crm", "--base-url", &app.base_url(), "--token-file", "token", "--allow-private"];
    let mut without_key = lockstep.folder.command();
    let refused = said(without_key.env("LOCKSTEP_DATABASE", &lockstep.url).args(add)).ends(1);
    assert!(refused.err.contains("LOCKSTEP_KEY"), "{}", refused.err);
    lockstep.ok(&add);
    lockstep.ok(&["app", "assign", "crm", "--group", "Everyone"]);
    lockstep.ok(&["push-group", "add", "crm", "--group", "Engineering"]);
    lockstep.ok(&["app", "activate", "crm", "--yes"]);
    lockstep.ok(&["sync", "--wait"]);
    assert_eq!(app.accounts(), ["ada@acme.example", "grace@acme.example", "linus@acme.example"]);
    assert_eq!(app.members("Engineering"), ["ada@acme.example", "grace@acme.example"]);
    let writes = app.lock().seen().writes;
    lockstep.ok(&["app", "compare", "crm"]);
    lockstep.ok(&["sync"]);
    assert_eq!(app.lock().seen().writes, writes, "nothing is left to do");
    lockstep.ok(&["log", "check"]);
    assert!(!lockstep.folder.path().join("lockstep.db").exists());
}
