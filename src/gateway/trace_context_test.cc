#include "gateway/trace_context.h"

#include <vector>

#include <gtest/gtest.h>

namespace mcp_oauth {
namespace {

constexpr const char* known = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// Bytes that count on from one call to the next.
random_fn counting(unsigned char& next) {
  return [&next](std::size_t n) {
    std::string bytes;
    for (std::size_t i = 0; i < n; ++i) bytes += static_cast<char>(next++);
    return bytes;
  };
}

TEST(TraceContext, IsReadAndWrittenBack) {
  auto context = parse_traceparent(known);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->sampled);
  EXPECT_EQ(to_hex(context->trace), "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(to_hex(context->span), "b7ad6b7169203331");
  EXPECT_EQ(to_traceparent(*context), known);
}

TEST(TraceContext, SamplingIsTheLastBitOnly) {
  struct row {
    const char* flags;
    bool sampled;
  };
  for (const auto& [flags, sampled] :
       {row{"00", false}, row{"02", false}, row{"03", true}, row{"ff", true}}) {
    auto context = parse_traceparent(std::string(known).substr(0, 53) + flags);
    ASSERT_TRUE(context) << flags;
    EXPECT_EQ(context->sampled, sampled) << flags;
  }
}

TEST(TraceContext, OfALaterVersionWhatIsKnownIsRead) {
  std::string later = "cc" + std::string(known).substr(2);
  EXPECT_EQ(parse_traceparent(later), parse_traceparent(known));
  EXPECT_EQ(parse_traceparent(later + "-what-the-future-brings"), parse_traceparent(known));
  EXPECT_FALSE(parse_traceparent(later + "x"));
}

TEST(TraceContext, MalformedIsNone) {
  for (const char* value : {
           "",
           "00",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
           "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "0g-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-B7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0x",
           "00-00000000000000000000000000000000-b7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
           "00 0af7651916cd43dd8448eb211c80319c b7ad6b7169203331 01",
           "00-0af7651916cd43dd8448eb211c80319cb-7ad6b7169203331-01",
           "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01,00-0af7651916cd43dd8448eb211c80319c",
       }) {
    EXPECT_FALSE(parse_traceparent(value)) << value;
  }
}

TEST(TraceContext, AChildStaysInItsTraceUnderANewSpan) {
  unsigned char next = 1;
  auto parent = parse_traceparent(known);
  auto child = child_of(parent, {1'000'000, false}, counting(next));
  EXPECT_EQ(child.trace, parent->trace);
  EXPECT_EQ(to_hex(child.span), "0102030405060708");
  EXPECT_TRUE(child.sampled);
}

TEST(TraceContext, WithoutAParentATraceBegins) {
  unsigned char next = 1;
  auto child = child_of(std::nullopt, {}, counting(next));
  EXPECT_EQ(to_traceparent(child), "00-0102030405060708090a0b0c0d0e0f10-1112131415161718-01");
}

TEST(TraceContext, IdsAreNeverZero) {
  int calls = 0;
  auto zeros_first = [&](std::size_t n) { return std::string(n, ++calls % 2 == 1 ? '\0' : '\x07'); };
  auto child = child_of(std::nullopt, {}, zeros_first);
  EXPECT_EQ(to_traceparent(child), "00-07070707070707070707070707070707-0707070707070707-01");
}

std::optional<trace_context> chosen(const char* trace, const char* flags) {
  return parse_traceparent(std::string("00-") + trace + "-b7ad6b7169203331-" + flags);
}
constexpr const char* lowest = "ffffffffffffffffff00000000000001";
constexpr const char* highest = "0000000000000001ffffffffffffffff";

TEST(TraceContext, ATraceThatBeginsHereIsDrawnByItsOwnLastBytes) {
  auto of = [](char last, std::uint32_t per_million) {
    auto random = [last](std::size_t n) { return std::string(n, last); };
    return child_of(std::nullopt, {per_million, true}, random).sampled;
  };
  EXPECT_TRUE(of('\x01', 10'000));
  EXPECT_FALSE(of('\x01', 1'000));
  EXPECT_FALSE(of('\x01', 0));
  EXPECT_FALSE(of('\xFF', 999'999));
  EXPECT_TRUE(of('\xFF', 1'000'000));
}

TEST(TraceContext, NeitherFlagNorTraceOfAStrangerDecides) {
  auto low = [](std::size_t n) { return std::string(n, '\x01'); };
  auto high = [](std::size_t n) { return std::string(n, '\xFE'); };
  for (const char* flags : {"00", "01"}) {
    for (const char* trace : {lowest, highest}) {
      EXPECT_TRUE(child_of(chosen(trace, flags), {100'000, false}, low).sampled) << trace << flags;
      EXPECT_FALSE(child_of(chosen(trace, flags), {100'000, false}, high).sampled) << trace << flags;
      EXPECT_FALSE(child_of(chosen(trace, flags), {0, false}, low).sampled) << trace << flags;
    }
  }
}

TEST(TraceContext, ABelievedParentDecides) {
  unsigned char next = 1;
  auto random = counting(next);
  EXPECT_TRUE(child_of(chosen(highest, "01"), {0, true}, random).sampled);
  EXPECT_FALSE(child_of(chosen(lowest, "00"), {1'000'000, true}, random).sampled);
}

TEST(TraceContext, ASpanBelowIsAnotherOneOfTheSameTrace) {
  unsigned char next = 1;
  auto of = chosen(lowest, "01");
  auto below = span_below(*of, counting(next));
  EXPECT_EQ(below.trace, of->trace);
  EXPECT_TRUE(below.sampled);
  EXPECT_EQ(to_hex(below.span), "0102030405060708");
}

TEST(TraceContext, TracestateIsOneListOrNothing) {
  auto passed = [](std::vector<std::string_view> lines) { return passed_tracestate(lines); };
  EXPECT_EQ(passed({"rojo=00f067aa0ba902b7", "", "congo=t61rcWkgMzE"}),
            "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
  EXPECT_EQ(passed({}), "");
  const auto longest = "a=" + std::string(510, 'x');
  EXPECT_EQ(passed({longest}), longest);
  for (std::string line :
       {"a=" + std::string(511, 'x'), std::string("a=\x01"), std::string("a=\xC3\xA4"), std::string("none")})
    EXPECT_EQ(passed({line}), "") << line;
}

TEST(TraceContext, TheShareIsAboutThatOfManyTraces) {
  std::uint64_t state = 88172645463325252ULL;
  auto random = [&](std::size_t n) {
    std::string bytes;
    for (std::size_t i = 0; i < n; ++i) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      bytes += static_cast<char>(state >> 32);
    }
    return bytes;
  };
  int sampled = 0;
  for (int i = 0; i < 10'000; ++i)
    sampled += child_of(std::nullopt, {250'000, false}, random).sampled ? 1 : 0;
  EXPECT_GT(sampled, 2'300);
  EXPECT_LT(sampled, 2'700);
}

}  // namespace
}  // namespace mcp_oauth
