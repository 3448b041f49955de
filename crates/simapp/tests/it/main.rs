//! The simulated app as its clients meet it: in process and over real HTTP.

#![cfg(test)]

mod client;
mod faults_on_answers;
mod faults_on_content;
mod groups;
mod hostile;
mod http;
mod inspection;
mod lists;
mod users;
