// Functions of C++ that are inlined into one another, and names that are long: for comparing with other tools.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <vector>

namespace shapes {
template <typename Number> struct Point {
	Number x, y;
	Number dot(const Point &other) const { return x * other.x + y * other.y; }
};

struct Shape {
	virtual ~Shape() = default;
	virtual double area() const = 0;
};

class Polygon : public Shape {
	std::vector<Point<double>> corners;

	static double cross(const Point<double> &a, const Point<double> &b) { return a.x * b.y - a.y * b.x; }

public:
	explicit Polygon(int count)
	{
		for (int i = 0; i < count; i++)
			corners.push_back({double(i * i % 7), double(i * 3 % 5)});
	}
	double area() const override
	{
		double sum = 0;
		for (size_t i = 0; i < corners.size(); i++)
			sum += cross(corners[i], corners[(i + 1) % corners.size()]);
		return sum / 2 + corners[0].dot(corners[1]);
	}
};
} // namespace shapes

static int count_words(const std::string &text, std::map<std::string, int> &counts)
{
	size_t start = 0;
	int words = 0;
	while (start < text.size()) {
		size_t end = text.find(' ', start);
		if (end == std::string::npos)
			end = text.size();
		counts[text.substr(start, end - start)]++;
		start = end + 1;
		words++;
	}
	return words;
}

extern "C" __attribute__((noinline)) int plain_c(int value)
{
	if (value > 1000)
		abort();
	return value * 3;
}

int main(int argc, char **argv)
{
	std::map<std::string, int> counts;
	int words = 0;
	for (int i = 1; i < argc; i++)
		words += count_words(argv[i], counts);
	shapes::Polygon polygon(argc + 5);
	std::vector<int> numbers(argc + 100);
	std::iota(numbers.begin(), numbers.end(), 0);
	std::sort(numbers.begin(), numbers.end(), [](int a, int b) { return a % 7 < b % 7; });
	printf("%d %f %d %d\n", words, polygon.area(), numbers[3], plain_c(argc));
	return 0;
}
