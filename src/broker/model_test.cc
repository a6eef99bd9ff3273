// Random actions of several clients, browsers and people, interleaved, with a clock that jumps, a store that
// fails and a process that dies: what was handed out is always what the model promises. The same seed makes
// the same actions; a failure is shrunk and printed so that it can be pasted into a test below.
//
// MOP_MODEL_SECONDS=600 runs other seeds for so long; MOP_MODEL_SEED=17 runs that one.

#include "broker/model_driver.h"

#include <chrono>
#include <cstdlib>
#include <iterator>
#include <random>

namespace mcp_oauth::model {
namespace {

constexpr const char* doing_names[] = {
    "authorize",       "approve",      "deny",     "enter",       "redeem",
    "refresh",         "revoke",       "sign_out", "remove_user", "add_user",
    "register_client", "copy_cookies", "wait",     "restart",     "sweep"};
constexpr const char* trouble_names[] = {"none", "fails", "loses", "dies_before", "dies_after"};

std::string to_text(const action& it) {
  return std::string("{doing::") + doing_names[static_cast<int>(it.what)] + ", " + std::to_string(it.a) +
         ", " + std::to_string(it.b) + ", " + std::to_string(it.c) +
         ", trouble::" + trouble_names[static_cast<int>(it.how)] + ", " + std::to_string(it.at) + ", " +
         (it.answer_lost ? "true" : "false") + ", " + (it.meanwhile ? "true" : "false") + "},\n";
}

std::string run(stored_in where, const std::vector<action>& actions, std::size_t& at) {
  driver d(where);
  return d.run(actions, at);
}

// Every list has its own mixture: what is rare in one is frequent in another.
std::vector<action> actions_of(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  auto below = [&](std::uint64_t n) { return static_cast<std::uint32_t>(random() % n); };
  const std::uint32_t usual[] = {6, 8, 1, 8, 14, 24, 4, 1, 1, 1, 1, 1, 9, 2, 1};
  std::vector<doing> urn;
  for (std::size_t i = 0; i < std::size(usual); ++i) {
    urn.insert(urn.end(), 1 + usual[i] * (1 + below(4)) / 2, static_cast<doing>(i));
  }
  auto troubles = below(4), races = below(4);
  std::vector<action> actions;
  auto add = [&](doing what) {
    action it;
    it.what = what;
    it.a = below(4096);
    it.b = below(4096);
    it.c = below(4096);
    it.at = below(6);
    if (below(20) < troubles) it.how = static_cast<trouble>(1 + below(4));
    it.answer_lost = below(30) < troubles;
    it.meanwhile = below(8) < races;
    actions.push_back(it);
  };
  for (auto size = 40 + below(60); actions.size() < size;) {
    switch (below(16)) {
      case 0:
      case 1:
        // The way to tokens is long, and has to be gone often.
        for (auto what : {doing::authorize, doing::approve, doing::enter, doing::redeem}) {
          add(what);
          actions.back().a = 1;
          actions.back().b = what == doing::authorize ? below(4) : 1;
          actions.back().c = what == doing::enter ? 2 + below(2) : 4 + below(2);
        }
        break;
      case 2:
      case 3: {
        // The same twice, the second in the middle of the first.
        const doing twice[] = {doing::approve, doing::enter, doing::redeem, doing::refresh};
        add(twice[below(4)]);
        actions.back().meanwhile = true;
        actions.push_back(actions.back());
        break;
      }
      case 4:
        add(doing::refresh);
        actions.back().meanwhile = true;
        add(doing::revoke);
        actions.back().a = actions[actions.size() - 2].a;
        break;
      case 5:
        // A token, and the same again at the edge of something.
        add(doing::refresh);
        actions.back().a = 1;
        add(doing::wait);
        actions.back().a = 1;
        add(doing::refresh);
        actions.back().a = 5;
        break;
      case 6:
        add(doing::authorize);
        actions.back().c = 4 + below(2);
        add(doing::approve);
        actions.back().a = actions.back().b = 1;
        // Asked again by somebody, or answered at the last moment.
        if (below(2) == 0) {
          auto again = actions[actions.size() - 2];
          again.a = below(4096);
          actions.push_back(again);
        } else {
          add(doing::wait);
          actions.back().a = 1 + 4 * below(4);
          actions.back().b = actions.back().a / 4;
          add(doing::enter);
          actions.back().a = actions.back().b = 1;
          actions.back().c = 2;
        }
        break;
      case 7:
        add(doing::copy_cookies);
        add(doing::enter);
        actions.back().a = actions.back().b = 1;
        break;
      case 8:
        // Much later, or when the name is somebody else's.
        if (below(2) == 0) {
          add(doing::wait);
          actions.back().a = actions.back().b = 0;
        } else {
          add(doing::remove_user);
          auto again = actions.back();
          again.what = doing::add_user;
          actions.push_back(again);
        }
        add(doing::refresh);
        actions.back().a = actions.back().b = 1;
        break;
      case 9: {
        // What one person approved for a client of the web is asked for again, and somebody signs in anew.
        auto browser = below(3);
        for (std::uint32_t asked : {4u, 4u + 24 * 3 + 144}) {  // without a prompt, then with prompt=login
          add(doing::authorize);
          actions.back().a = browser;
          actions.back().b = 1;
          actions.back().c = asked;
          if (asked == 4u) {
            add(doing::approve);
            actions.back().a = actions.back().b = 1;
          }
          add(doing::enter);
          actions.back().a = actions.back().b = 1;
          actions.back().c = 2 + below(2);
        }
        break;
      }
      default: add(urn[below(urn.size())]); break;
    }
  }
  return actions;
}

// Leaves out what the failure does not need.
std::vector<action> shrink(stored_in where, std::vector<action> actions) {
  auto fails = [&](const std::vector<action>& some) {
    std::size_t at = 0;
    return !run(where, some, at).empty();
  };
  for (std::size_t size = actions.size() / 2; size > 0; size /= 2) {
    for (std::size_t from = 0; from < actions.size();) {
      auto fewer = actions;
      auto begin = fewer.begin() + static_cast<std::ptrdiff_t>(from);
      fewer.erase(begin, begin + static_cast<std::ptrdiff_t>(std::min(size, fewer.size() - from)));
      if (fails(fewer)) {
        actions = std::move(fewer);
      } else {
        from += size;
      }
    }
  }
  for (auto& it : actions) {
    auto simpler = it;
    simpler.how = trouble::none;
    simpler.answer_lost = simpler.meanwhile = false;
    auto before = std::exchange(it, simpler);
    if (!fails(actions)) it = before;
  }
  return actions;
}

std::string explained(stored_in where, std::uint64_t seed, std::vector<action> actions) {
  actions = shrink(where, std::move(actions));
  std::size_t at = 0;
  auto why = run(where, actions, at);
  std::string text = "seed " + std::to_string(seed) + ": " + why + "\nafter\n";
  for (std::size_t i = 0; i < actions.size(); ++i) text += (i == at ? "> " : "  ") + to_text(actions[i]);
  return text;
}

// How many actions were tried.
std::size_t try_seeds(stored_in where, std::uint64_t first, std::uint64_t count) {
  std::size_t tried = 0;
  if (const char* only = std::getenv("MOP_MODEL_SEED")) {
    first = std::strtoull(only, nullptr, 10);
    count = 1;
  }
  auto until = std::chrono::steady_clock::now();
  if (const char* longer = std::getenv("MOP_MODEL_SECONDS")) {
    until += std::chrono::seconds(std::strtoll(longer, nullptr, 10));
    first = std::random_device{}();
  }
  for (auto seed = first; seed < first + count || std::chrono::steady_clock::now() < until; ++seed) {
    auto actions = actions_of(seed);
    std::size_t at = 0;
    if (!run(where, actions, at).empty()) {
      ADD_FAILURE() << explained(where, seed, actions);
      return tried;
    }
    tried += actions.size();
  }
  return tried;
}

TEST(Model, HoldsForTheServerOverTheMemoryStore) {
  testing::Test::RecordProperty("actions", std::to_string(try_seeds(stored_in::memory, 1, 100)));
}

TEST(Model, HoldsForTheServerOverSqlite) {
  testing::Test::RecordProperty("actions", std::to_string(try_seeds(stored_in::sqlite, 1001, 10)));
}

}  // namespace
}  // namespace mcp_oauth::model
