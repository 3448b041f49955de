//! Loading the exports of Okta, Entra and Google as they are. The people are invented; the headers are those of the products.

use engine::load::{Counts, LoadFile, LoadReport, LoadRequest, Preset};
use serde_json::{Value, json};

use crate::load::{csv, run};
use crate::world::World;

const OKTA: &str = "\
login,firstName,lastName,middleName,honorificPrefix,honorificSuffix,email,title,displayName,nickName,profileUrl,secondEmail,mobilePhone,primaryPhone,streetAddress,city,state,zipCode,countryCode,postalAddress,preferredLanguage,locale,timezone,userType,employeeNumber,costCenter,organization,division,department,managerId,manager,id,status,created,lastLogin,favouriteColour
ada@acme.example,Ada,Lovelace,,,,ada@acme.example,Engineer,Ada Lovelace,,,ada@home.example,+44 1,,1 St James Sq,London,,SW1,GB,,en,en_GB,Europe/London,Employee,17,42,Acme,R&D,Analysis,grace@acme.example,Grace Hopper,00u1,ACTIVE,2024-01-01T00:00:00.000Z,,green
grace@acme.example,Grace,Hopper,,,,grace@acme.example,,Grace Hopper,,,,,,,,,,,,,,,,,,,,,,,00u2,PASSWORD_EXPIRED,,,
leaver@acme.example,Lee,Aver,,,,leaver@acme.example,,,,,,,,,,,,,,,,,,,,,,,,,00u3,DEPROVISIONED,,,
new@acme.example,Nina,Ew,,,,new@acme.example,,,,,,,,,,,,,,,,,,,,,,,,,00u4,STAGED,,,
";

const ENTRA: &str = "\
userPrincipalName,displayName,surname,mail,givenName,id,userType,jobTitle,department,accountEnabled,usageLocation,streetAddress,state,country,officeLocation,city,postalCode,telephoneNumber,mobilePhone,alternateEmailAddress,ageGroup,consentProvidedForMinor,legalAgeGroupClassification,companyName,creationType,directorySynced,invitationState,identityIssuer,createdDateTime
ada@acme.example,Ada Lovelace,Lovelace,ada@acme.example,Ada,11111111-aaaa,Member,Engineer,Analysis,True,GB,1 St James Sq,,United Kingdom,HQ,London,SW1,+44 20,+44 7,,,,,Acme,,True,,acme.example,2024-01-01T00:00:00Z
guest_home.example#EXT#@acme.example,Gus Guest,,gus@home.example,,22222222-bbbb,Guest,,,False,,,,,,,,,,,,,,,Invitation,,Accepted,,2024-02-01T00:00:00Z
";

const GOOGLE: &str = "\
First Name [Required],Last Name [Required],Email Address [Required],Password [Required],Password Hash Function [UPLOAD ONLY],Org Unit Path [Required],New Primary Email [UPLOAD ONLY],Status [READ ONLY],Last Sign In [READ ONLY],Recovery Email,Home Secondary Email,Work Secondary Email,Recovery Phone [MUST BE IN THE E.164 FORMAT],Work Phone,Home Phone,Mobile Phone,Work Address,Home Address,Employee ID,Employee Type,Employee Title,Manager Email,Department,Cost Center,2sv Enrolled [READ ONLY],2sv Enforced [READ ONLY],Building ID,Floor Name,Floor Section,Change Password at Next Sign-In,New Status [UPLOAD ONLY],Pronouns
Ada,Lovelace,ada@acme.example,****,,/Research,,Active,2024/05/01 10:00:00,,ada@home.example,,,+44 20,,,\"1 St James Sq, London\",,17,Employee,Engineer,grace@acme.example,Analysis,42,True,False,,,,False,,she/her
Grace,Hopper,grace@acme.example,****,,/,,Suspended,Never logged in,,,,,,,,,,,,,,,,False,False,,,,False,,
";

const ENTERPRISE: &str = scim::urn::ENTERPRISE_USER;

fn request(preset: &str, text: &str) -> LoadRequest {
    LoadRequest { preset: Preset::named(preset), ..csv(text, "", "") }
}

fn loaded(preset: &str, text: &str) -> (World, LoadReport) {
    let world = World::inline();
    let report = run(&world, request(preset, text)).unwrap();
    let again = run(&world, request(preset, text)).unwrap();
    assert_eq!((again.preview.users.unchanged, again.job), (report.preview.users.create, None));
    (world, report)
}

fn at(doc: &Value, path: &str) -> Value {
    let path = scim::PatchPath::parse(path).unwrap();
    path.get(doc).first().map_or(Value::Null, |value| (*value).clone())
}

#[test]
fn oktas_people_list() {
    let (world, report) = loaded("okta", OKTA);
    assert_eq!(report.preview.users, Counts { create: 4, ..Counts::default() });
    assert_eq!(report.ignored, ["favouriteColour"]);
    let ada = world.user("00u1");
    assert_eq!((ada.user_name.as_str(), ada.source.as_str(), ada.active), ("ada@acme.example", "okta", true));
    for (path, value) in [
        ("name.familyName", "Lovelace"),
        ("emails[type eq \"work\"].value", "ada@acme.example"),
        ("emails[type eq \"other\"].value", "ada@home.example"),
        ("phoneNumbers[type eq \"mobile\"].value", "+44 1"),
        ("addresses[type eq \"work\"].country", "GB"),
        ("timezone", "Europe/London"),
    ] {
        assert_eq!(at(&ada.doc, path), json!(value), "{path}");
    }
    assert_eq!(ada.doc[ENTERPRISE]["employeeNumber"], json!("17"));
    assert_eq!(ada.manager_ref(), Some("grace@acme.example"));
    let states = ["00u2", "00u3", "00u4"].map(|id| world.user(id).active);
    assert_eq!(states, [true, false, false]);
}

#[test]
fn entras_bulk_download() {
    let (world, report) = loaded("entra", ENTRA);
    assert_eq!((report.preview.users.create, report.ignored.len()), (2, 0));
    let (ada, guest) = (world.user("11111111-aaaa"), world.user("22222222-bbbb"));
    assert_eq!((ada.label(), ada.active, guest.active), ("Ada Lovelace", true, false));
    assert_eq!(guest.user_name, "guest_home.example#EXT#@acme.example");
    assert_eq!(at(&guest.doc, "emails[type eq \"work\"].value"), json!("gus@home.example"));
    assert_eq!((at(&ada.doc, "title"), at(&ada.doc, "userType")), (json!("Engineer"), json!("Member")));
    assert_eq!(at(&ada.doc, "addresses[type eq \"work\"].locality"), json!("London"));
    assert_eq!(ada.doc[ENTERPRISE], json!({"department": "Analysis", "organization": "Acme"}));
}

#[test]
fn googles_user_list() {
    let (world, report) = loaded("google", GOOGLE);
    assert_eq!(report.ignored, ["Pronouns"]);
    let ada = world.user("ada@acme.example");
    assert_eq!(at(&ada.doc, "emails[type eq \"work\"].value"), json!("ada@acme.example"));
    assert_eq!(at(&ada.doc, "emails[type eq \"home\"].value"), json!("ada@home.example"));
    assert_eq!(at(&ada.doc, "addresses[type eq \"work\"].formatted"), json!("1 St James Sq, London"));
    assert_eq!((ada.active, ada.manager_ref()), (true, Some("grace@acme.example")));
    assert!(!world.user("grace@acme.example").active);
    assert!(!ada.doc.to_string().contains("****"));
}

#[test]
fn a_map_goes_before_the_preset_and_equal_columns_are_read_once() {
    let world = World::inline();
    let text = "login,username,email,status,secret\na@x,other,a@mail,ACTIVE,s\n";
    let map = [("email", "userName"), ("login", "nickName"), ("secret", "")];
    let map = map.map(|(column, path)| (column.to_owned(), path.to_owned())).to_vec();
    let report = run(&world, LoadRequest { map, source: "hr".into(), ..request("okta", text) }).unwrap();
    assert_eq!(report.ignored, ["username"]);
    let user = world.user("a@mail");
    assert_eq!((user.doc["nickName"].as_str(), user.source.as_str()), (Some("a@x"), "hr"));
    assert_eq!(user.doc.get("emails"), None);
}

#[test]
fn what_is_no_such_export_says_so_and_changes_nothing() {
    let world = World::inline();
    let refused = |request: LoadRequest| run(&world, request).unwrap_err().to_string();
    let wrong = refused(request("google", ENTRA));
    assert!(wrong.contains("no column 'Email Address [Required]'"), "{wrong}");
    let status = refused(request("okta", "login,status\na@x,RETIRED\n"));
    assert!(
        status.contains("users.csv:2") && status.contains("ACTIVE") && status.contains("RETIRED"),
        "{status}"
    );
    let json = LoadRequest { users: Some(LoadFile::new("u.jsonl", "{}")), ..request("okta", "x") };
    assert!(refused(json).contains("preset"));
    assert!(world.dump().is_empty());
    assert!(Preset::named("OKTA").is_some() && Preset::named("ldap").is_none());
}

#[test]
fn the_page_names_every_preset_as_it_is() {
    let page = include_str!("../../../../docs/import.md");
    for preset in Preset::all() {
        let row = format!("| `{0}` | {1} | `{2}` | `{0}` |", preset.name, preset.title, preset.key);
        assert!(page.contains(&row), "{row}");
    }
}
