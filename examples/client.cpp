// SPDX-License-Identifier: Apache-2.0
// Runs a batch of commands in two slots of a slot server and prints what came of them.
//
//   berth-slotd --listen 127.0.0.1 --port 8080 --slots 2 --data-dir /tmp/slots &
//   client http://127.0.0.1:8080
//
// It starts nothing and changes nothing but files in slot_0 and slot_1. Exit code 0: every command succeeded.
#include <cstdio>
#include <vector>

#include "berth/client.hpp"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: client ADDRESS   (http://HOST:PORT or unix:PATH)\n");
    return 2;
  }
  const std::string address = argv[1];

  // One client serves the whole program: it may be used from every thread and keeps its connections.
  berth::Client client;
  if (!client.health_check(address)) {
    std::fprintf(stderr, "client: no healthy slot server at %s\n", address.c_str());
    return 1;
  }

  // The two slots work side by side; the commands of one slot run in this order and see each other's files.
  std::vector<berth::PlacedCall> calls;
  for (const char* slot : {"slot_0", "slot_1"}) {
    calls.push_back({address, berth::bash_call(slot, std::string("echo 'a note of ") + slot + "' > note.txt")});
    calls.push_back({address, berth::bash_call(slot, "cat note.txt", berth::Seconds(5))});
  }

  // Nothing throws when a server fails: a result says what happened, and the results are in the order of the calls.
  bool all_good = true;
  const std::vector<berth::Result> results = client.execute_batch(calls);
  for (std::size_t i = 0; i < results.size(); ++i) {
    const berth::Result& result = results[i];
    const std::string& said = result.success ? result.output : result.error;
    std::printf("%s: %s: %s\n", calls[i].call.slot.c_str(), result.success ? "ok" : "failed", said.c_str());
    all_good = all_good && result.success;
  }

  // Files come back without running a command.
  const berth::FileAnswer note = client.read_artifact({address, "slot_0", {}}, "note.txt");
  std::printf("note.txt: %s", note.success ? note.content.c_str() : (note.error + "\n").c_str());
  return all_good && note.success ? 0 : 1;
}
