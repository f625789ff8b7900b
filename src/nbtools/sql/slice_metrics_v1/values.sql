-- How many values each dimension of staged users has; one row per dimension.
-- Parameters: users Identifier, dimensions Array(String)
SELECT
    tupleElement(found, 1) AS dimension,
    tupleElement(found, 2) AS found_values
FROM
(
    SELECT arrayJoin([
        ('os', uniqExact(os)),
        ('source', uniqExact(source)),
        ('country', uniqExact(country)),
        ('gender', uniqExact(gender)),
        ('exp_group', uniqExact(exp_group))
    ]) AS found
    FROM {users:Identifier}
)
WHERE has({dimensions:Array(String)}, dimension)
