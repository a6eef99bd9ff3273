#include "app/ask_for_token.h"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <termios.h>
#include <unistd.h>

namespace mcp_oauth {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// Standard input is something else as long as this lives.
class other_input {
 public:
  explicit other_input(int fd) : before_(::dup(STDIN_FILENO)) {
    ::dup2(fd, STDIN_FILENO);
    ::close(fd);
  }
  ~other_input() {
    ::dup2(before_, STDIN_FILENO);
    ::close(before_);
  }
  other_input(const other_input&) = delete;
  other_input& operator=(const other_input&) = delete;

 private:
  int before_;
};

struct asked {
  result<secret> token;
  std::string shown;  // on standard error
};

asked ask(const std::string& given) {
  testing::internal::CaptureStderr();
  auto token = ask_for_token(given);
  return {std::move(token), testing::internal::GetCapturedStderr()};
}

asked ask_with_input(const std::string& given, const std::string& input) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  other_input pipe(ends[0]);
  std::thread writer([&] {
    EXPECT_EQ(::write(ends[1], input.data(), input.size()), static_cast<ssize_t>(input.size()));
    ::close(ends[1]);
  });
  auto answer = ask(given);
  writer.join();
  return answer;
}

TEST(AskForToken, TakesOneOfTheCommandLineWithAWarning) {
  auto answer = ask("a.b.c");
  ASSERT_TRUE(answer.token);
  EXPECT_EQ(answer.token->reveal(), "a.b.c");
  EXPECT_THAT(answer.shown, HasSubstr("history"));
  EXPECT_THAT(answer.shown, Not(HasSubstr("a.b.c")));
}

TEST(AskForToken, ReadsStandardInputForADashAndWhereThereIsNoTerminal) {
  for (std::string given : {"-", ""}) {
    auto answer = ask_with_input(given, "a.b.c\n");
    ASSERT_TRUE(answer.token);
    EXPECT_EQ(answer.token->reveal(), "a.b.c\n");
    EXPECT_THAT(answer.shown, IsEmpty());
    EXPECT_EQ(ask_with_input(given, "\n").token.error().code, errc::parameter_missing);
    EXPECT_EQ(ask_with_input(given, "").token.error().code, errc::parameter_missing);
  }
}

TEST(AskForToken, IsBounded) {
  EXPECT_EQ(ask(std::string(64 * 1024 + 1, 'a')).token.error().code, errc::parameter_too_long);
  EXPECT_EQ(ask_with_input("-", std::string(64 * 1024, 'a')).token->reveal().size(), 64u * 1024);
}

class Terminal : public testing::Test {
 protected:
  Terminal() : master(::posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(::grantpt(master), 0);
    EXPECT_EQ(::unlockpt(master), 0);
    slave = ::open(::ptsname(master), O_RDWR | O_NOCTTY);
    EXPECT_GE(slave, 0);
  }
  ~Terminal() override { ::close(master); }

  // What somebody types, once the terminal has become silent; and what the terminal has shown of it.
  asked type(const std::string& keys) {
    other_input terminal(slave);
    std::thread person([&] {
      struct termios now{};
      do {
        ::tcgetattr(STDIN_FILENO, &now);
        std::this_thread::yield();
      } while ((now.c_lflag & ECHO) != 0);
      for (std::size_t sent = 0; sent < keys.size();) {
        auto n = ::write(master, keys.data() + sent, std::min<std::size_t>(keys.size() - sent, 512));
        ASSERT_GT(n, 0);
        sent += static_cast<std::size_t>(n);
      }
    });
    auto answer = ask("");
    person.join();
    struct termios after{};
    ::tcgetattr(STDIN_FILENO, &after);
    EXPECT_NE(after.c_lflag & ECHO, 0U);
    EXPECT_NE(after.c_lflag & ICANON, 0U);
    ::fcntl(master, F_SETFL, O_NONBLOCK);
    char shown[4096];
    auto n = ::read(master, shown, sizeof shown);
    echoed = std::string(shown, n > 0 ? static_cast<std::size_t>(n) : 0);
    return answer;
  }

  int master, slave = -1;
  std::string echoed;
};

TEST_F(Terminal, ShowsNothingAndTakesMoreThanALineHolds) {
  const std::string token(9000, 'x');
  auto answer = type(token + "\n");
  ASSERT_TRUE(answer.token);
  EXPECT_EQ(answer.token->reveal(), token);
  EXPECT_THAT(echoed, Not(HasSubstr("x")));
  EXPECT_THAT(answer.shown, HasSubstr("it is not shown"));
}

TEST_F(Terminal, LetsAMistakeBeTakenBack) {
  auto answer = type("abX\x7F.c\r");
  ASSERT_TRUE(answer.token);
  EXPECT_EQ(answer.token->reveal(), "ab.c");
}

TEST_F(Terminal, EndsWithControlC) { EXPECT_EQ(type("ab\x03").token.error().code, errc::parameter_missing); }

TEST_F(Terminal, EndsWithControlD) { EXPECT_EQ(type("ab\x04").token->reveal(), "ab"); }

}  // namespace
}  // namespace mcp_oauth
